// Package ca is the certificate authority with which the gateway reads inside
// TLS: a P-256 key made at first start, and a leaf of 24 hours for each host.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Authority signs leaves. Use Open or Load.
type Authority struct {
	cert *x509.Certificate
	der  []byte
	key  crypto.Signer
}

// The files of a CA folder.
const (
	CertFile = "ca.crt"
	KeyFile  = "ca.key"
)

// lifetime is that of an authority made here; skew is how far back certificates
// begin, for clients whose clocks are late.
const (
	lifetime = 10 * 365 * 24 * time.Hour
	skew     = time.Hour
)

// Open loads the authority in dir, or makes one there: the folder with mode 0700
// and the key with mode 0600.
func Open(dir string) (*Authority, error) {
	certPath, keyPath := filepath.Join(dir, CertFile), filepath.Join(dir, KeyFile)
	a, err := Load(certPath, keyPath)
	if !errors.Is(err, os.ErrNotExist) {
		return a, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make CA folder: %w", err)
	}
	if err := create(certPath, keyPath); err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return Load(certPath, keyPath)
}

// Load reads an authority from PEM files. The error matches os.ErrNotExist when
// the key is missing.
func Load(certPath, keyPath string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	info, err := os.Stat(keyPath)
	if err != nil {
		return nil, fmt.Errorf("load CA: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("CA key %q is readable by others (mode %v): chmod 600 it", keyPath, info.Mode().Perm())
	}
	return New(pair)
}

// New makes an authority of a loaded key pair.
func New(pair tls.Certificate) (*Authority, error) {
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("parse CA certificate: %w", err)
	}
	if !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, fmt.Errorf("certificate of %q is not a CA's", cert.Subject)
	}
	if time.Now().After(cert.NotAfter) {
		return nil, fmt.Errorf("CA certificate ended on %s", cert.NotAfter.Format(time.DateOnly))
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, errors.New("CA key cannot sign")
	}
	return &Authority{cert: cert, der: pair.Certificate[0], key: key}, nil
}

// PEM returns the certificate that clients must trust.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.der})
}

func create(certPath, keyPath string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	id := sha256.Sum256(public)
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "OpenShell gateway " + hex.EncodeToString(id[:4])},
		NotBefore:             time.Now().Add(-skew),
		NotAfter:              time.Now().Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(keyPath, "PRIVATE KEY", secret, 0o600); err != nil {
		return err
	}
	return writePEM(certPath, "CERTIFICATE", der, 0o644)
}

// writePEM replaces a file whole.
func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	tmp := path + ".new"
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(tmp, data, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// serial is 127 random bits (RFC 5280, section 4.1.2.2).
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
