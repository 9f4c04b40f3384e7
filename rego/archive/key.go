package archive

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"

	"github.com/open-policy-agent/opa/v1/bundle"
)

// Key is a public key that bundles are trusted by.
type Key struct {
	// ID is derived from the key: what openshell-policy keygen printed.
	ID string
	// Algorithm follows from the kind of key, EdDSA or RS256, so that a bundle
	// cannot choose it.
	Algorithm string
	pem       string
}

// minRSA is the least length of an RSA key, in bits.
const minRSA = 2048

// ParseKey reads a public key in PEM, Ed25519 or RSA. A private key is refused:
// who only checks should not hold one.
func ParseKey(text []byte) (Key, error) {
	const hint = "openshell-policy keygen writes a pair; the public key is the file that ends in .pub"
	block, rest := pem.Decode(text)
	if block == nil {
		return Key{}, refuse(CodeKey, hint, "no PEM block")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return Key{}, refuse(CodeKey, hint, "more than one PEM block")
	}
	if block.Type != "PUBLIC KEY" {
		return Key{}, refuse(CodeKey, hint, "a %q where a PUBLIC KEY is expected", block.Type)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, refuse(CodeKey, hint, "%v", err)
	}
	algorithm, err := algorithmOf(public)
	if err != nil {
		return Key{}, err
	}
	return Key{ID: keyID(block.Bytes), Algorithm: algorithm, pem: string(pem.EncodeToMemory(block))}, nil
}

func algorithmOf(public any) (string, error) {
	switch k := public.(type) {
	case ed25519.PublicKey:
		return "EdDSA", nil
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return "", refuse(CodeKey, "", "an RSA key of %d bits; at least %d are needed", k.N.BitLen(), minRSA)
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		return "", refuse(CodeKey, "", "an ECDSA key: its signatures differ each time, so equal policies would not be equal bundles; use Ed25519 or RSA")
	}
	return "", refuse(CodeKey, "", "a key that is neither Ed25519 nor RSA")
}

// keyID is the first 16 hexadecimal digits of the SHA-256 of the key's SPKI form.
func keyID(spki []byte) string {
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:8])
}

func (k Key) config() *bundle.KeyConfig {
	return &bundle.KeyConfig{Key: k.pem, Algorithm: k.Algorithm}
}
