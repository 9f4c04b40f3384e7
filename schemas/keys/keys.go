package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
)

// Public checks signatures.
type Public struct {
	// ID is the first 16 hexadecimal digits of the SHA-256 of the key's SPKI form.
	ID        string
	Algorithm string // EdDSA or RS256
	PEM       string
}

// Private makes signatures.
type Private struct {
	Public
	PEM string // PKCS #8
}

// minRSA is the least length of an RSA key, in bits.
const minRSA = 2048

// ParsePublic reads a public key. A private one is refused: who only checks
// should not hold one.
func ParsePublic(text []byte) (Public, error) {
	block, err := only(text)
	if err != nil {
		return Public{}, err
	}
	if block.Type != "PUBLIC KEY" {
		return Public{}, fmt.Errorf("a %q where a PUBLIC KEY is expected", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Public{}, fmt.Errorf("public key: %w", err)
	}
	return public(key)
}

// ParsePrivate reads a private key, PKCS #8 or the older form of RSA.
func ParsePrivate(text []byte) (Private, error) {
	block, err := only(text)
	if err != nil {
		return Private{}, err
	}
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "PUBLIC KEY":
		return Private{}, errors.New("a public key where a private one is expected")
	default:
		return Private{}, fmt.Errorf("a %q where a PRIVATE KEY is expected", block.Type)
	}
	if err != nil {
		return Private{}, fmt.Errorf("private key: %w", err)
	}
	return FromPrivate(key)
}

// FromPrivate describes a private key of crypto/ed25519 or crypto/rsa.
func FromPrivate(key any) (Private, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return Private{}, errors.New("a key that cannot sign")
	}
	p, err := public(signer.Public())
	if err != nil {
		return Private{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Private{}, fmt.Errorf("private key: %w", err)
	}
	return Private{Public: p, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}, nil
}

func public(key any) (Public, error) {
	algorithm, err := algorithmOf(key)
	if err != nil {
		return Public{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return Public{}, fmt.Errorf("public key: %w", err)
	}
	sum := sha256.Sum256(spki)
	return Public{
		ID: hex.EncodeToString(sum[:8]), Algorithm: algorithm,
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
	}, nil
}

func algorithmOf(key any) (string, error) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return "EdDSA", nil
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA {
			return "", fmt.Errorf("an RSA key of %d bits; at least %d are needed", bits, minRSA)
		}
		return "RS256", nil
	case *ecdsa.PublicKey:
		return "", errors.New("an ECDSA key, whose signatures differ each time; use Ed25519 or RSA")
	}
	return "", errors.New("a key that is neither Ed25519 nor RSA")
}

func only(text []byte) (*pem.Block, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("more than one PEM block")
	}
	return block, nil
}
