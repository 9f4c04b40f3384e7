package archive_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"path"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas/keys"
)

func edSign(t testing.TB, key keys.Private, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(key.PEM))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		t.Fatalf("got a %T", parsed)
	}
	return ed25519.Sign(private, []byte(text))
}

// Whatever the bytes are, reading ends with a bundle of clean names or an error.
func FuzzRead(f *testing.F) {
	key := newKey(f)
	list := entries(f, signed(f, key))
	f.Add(packed(f, list))
	f.Add(packed(f, list[:2]))
	f.Add([]byte{})
	trusted := []keys.Public{newKey(f).Public}
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := archive.Read(data)
		if err != nil {
			return
		}
		for _, file := range a.Files {
			if file.Name == "" || file.Name != path.Clean(file.Name) || strings.HasPrefix(file.Name, "../") || file.Name[0] == '/' {
				t.Errorf("a file is named %q", file.Name)
			}
		}
		if _, err := a.Verify(trusted); err == nil {
			t.Error("a key that signed nothing verifies it")
		}
	})
}
