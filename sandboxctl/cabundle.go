package sandboxctl

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// systemRoots are where distributions keep their certificates.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // Fedora, RHEL
	"/etc/pki/tls/certs/ca-bundle.crt",                  // older RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // BSD, macOS
}

// WriteCABundle writes the system's certificates and the gateway's into one file,
// because most clients take one file and then nothing else. SSL_CERT_FILE names
// the system's where it is set. A file with the same bytes is left alone.
func WriteCABundle(path, sslCertFile string, gatewayCA []byte) error {
	var roots []byte
	for _, file := range append([]string{sslCertFile}, systemRoots...) {
		if data, err := os.ReadFile(file); file != "" && err == nil {
			roots = data
			break
		}
	}
	if len(roots) > 0 && !bytes.HasSuffix(roots, []byte("\n")) {
		roots = append(roots, '\n')
	}
	bundle := append(bytes.Clone(roots), gatewayCA...)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, bundle) {
		return nil
	}
	if err := replaceFile(path, bundle, 0o644); err != nil {
		return fmt.Errorf("certificates for clients: %w", err)
	}
	return nil
}

// replaceFile writes a file whole: a reader sees the old or the new one.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
