package keys_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas/keys"
)

func private(t *testing.T, key any) keys.Private {
	t.Helper()
	p, err := keys.FromPrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func edKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A pair reads back as it was written, with the algorithm of its kind.
func TestPairs(t *testing.T) {
	old := rsaKey(t, 2048)
	pkcs1 := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(old)}))
	for name, c := range map[string]struct {
		text      string
		want      keys.Private
		algorithm string
	}{
		"Ed25519":     {"", private(t, edKey(t)), "EdDSA"},
		"RSA":         {"", private(t, rsaKey(t, 2048)), "RS256"},
		"RSA, PKCS 1": {pkcs1, private(t, old), "RS256"},
	} {
		if c.text == "" {
			c.text = c.want.PEM
		}
		got, err := keys.ParsePrivate([]byte(c.text))
		if err != nil || got != c.want || got.Algorithm != c.algorithm {
			t.Errorf("%s: got %s %s, %v", name, got.ID, got.Algorithm, err)
		}
		public, err := keys.ParsePublic([]byte(c.want.Public.PEM))
		if err != nil || public != c.want.Public || len(public.ID) != 16 {
			t.Errorf("%s: got public %s %s, %v", name, public.ID, public.Algorithm, err)
		}
	}
}

func TestRefused(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	good := private(t, edKey(t))
	if _, err := keys.FromPrivate(rsaKey(t, 1024)); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("a short RSA key: %v", err)
	}
	for name, c := range map[string]struct{ text, public, private string }{
		"nothing":    {"", "no PEM", "no PEM"},
		"not PEM":    {"hello", "no PEM", "no PEM"},
		"two":        {good.Public.PEM + good.Public.PEM, "more than one", "more than one"},
		"a private":  {good.PEM, "PRIVATE KEY", ""},
		"a public":   {good.Public.PEM, "", "public key"},
		"ECDSA":      {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), "ECDSA", "public key"},
		"a broken":   {string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki[:20]})), "asn1", "public key"},
		"a stranger": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: spki})), "CERTIFICATE", "CERTIFICATE"},
	} {
		_, err := keys.ParsePublic([]byte(c.text))
		says(t, name+" as public", err, c.public)
		_, err = keys.ParsePrivate([]byte(c.text))
		says(t, name+" as private", err, c.private)
	}
}

// says holds an error to a word; no word, no error.
func says(t *testing.T, name string, err error, word string) {
	t.Helper()
	if (err == nil) != (word == "") || err != nil && !strings.Contains(err.Error(), word) {
		t.Errorf("%s: got %v, want %q", name, err, word)
	}
}
