package audit

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	signednote "golang.org/x/mod/sumdb/note"
)

// identity is a log's name and key.
type identity struct {
	signer signednote.Signer
	public signednote.Verifier
	text   string // of the public key
}

// openIdentity loads the key of the log in dir, or makes one where nothing was
// logged yet. Origin is the name that the log must have; "" any.
func openIdentity(dir, origin string, fresh bool) (*identity, error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !fresh {
			return nil, fmt.Errorf("%s is missing, but there are records that it has signed: restore it", path)
		}
		return makeIdentity(dir, origin)
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, errors.Join(err, fmt.Errorf("%s can be read by others: chmod 600 %s", path, path))
	}
	signer, err := signednote.NewSigner(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("%s is not a log's key", path)
	}
	if origin != "" && origin != signer.Name() {
		return nil, fmt.Errorf("the log in %s is %q, not %q", dir, signer.Name(), origin)
	}
	return loadPublic(dir, signer)
}

// loadPublic reads the verifier that belongs to the signer: a signer does not
// tell its public key.
func loadPublic(dir string, signer signednote.Signer) (*identity, error) {
	path := filepath.Join(dir, publicFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	public, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if public.Name() != signer.Name() || public.KeyHash() != signer.KeyHash() {
		return nil, fmt.Errorf("%s does not belong to %s", path, keyFile)
	}
	return &identity{signer, public, strings.TrimSpace(string(text))}, nil
}

func makeIdentity(dir, origin string) (*identity, error) {
	if origin == "" {
		origin = newOrigin()
	}
	if strings.ContainsFunc(origin, func(r rune) bool { return unicode.IsSpace(r) || r == '+' || !safe(r) }) {
		return nil, fmt.Errorf("log name %q: neither spaces nor + can be in it", origin)
	}
	private, public, err := signednote.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	// The public key first: a key without one could not be used.
	if err := replaceFile(filepath.Join(dir, publicFile), []byte(public+"\n")); err != nil {
		return nil, err
	}
	if err := replaceFile(filepath.Join(dir, keyFile), []byte(private+"\n")); err != nil {
		return nil, err
	}
	return openIdentity(dir, origin, false)
}

// newOrigin names a log by its machine and at random, so that replicas and
// restarts elsewhere never share a name.
func newOrigin() string {
	host, err := os.Hostname()
	host = strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '+' && r != '/' {
			return r
		}
		return -1
	}, host)
	if err != nil || host == "" {
		host = "unknown"
	}
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return "openshell/" + host + "/" + fmt.Sprintf("%x", b)
}

// replaceFile writes a file that only its owner can read, whole and durably.
func replaceFile(path string, data []byte) error {
	tmp := path + tmpSuffix
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, removeIfThere(tmp))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
