package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/openshell-policy/openshell/schemas/keys"
)

const (
	signaturesName = ".signatures.json"
	maxUnpacked    = 256 << 20
)

// entry is one file of a bundle, its name as in the tar.
type entry struct {
	name string
	data []byte
}

// Sign returns the bundle with OPA's .signatures.json: one JWT over the digests
// of all files. A signature that is there is replaced; the other files keep their
// bytes. Equal bundles signed with one key are equal.
func Sign(packed []byte, key keys.Private) ([]byte, error) {
	entries, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	token, err := token(entries, key)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(opabundle.SignaturesConfig{Signatures: []string{token}})
	if err != nil {
		return nil, fmt.Errorf("sign bundle: %w", err)
	}
	return pack(append(entries, entry{"/" + signaturesName, text}))
}

func token(entries []entry, key keys.Private) (string, error) {
	hash, err := opabundle.NewSignatureHasher(opabundle.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign bundle: %w", err)
	}
	files := make([]opabundle.FileInfo, 0, len(entries))
	for _, e := range entries {
		name := strings.TrimPrefix(e.name, "/")
		var value any = e.data
		if opabundle.IsStructuredDoc(name) {
			if err := util.Unmarshal(e.data, &value); err != nil {
				return "", fmt.Errorf("sign bundle: %s: %w", name, err)
			}
		}
		sum, err := hash.HashFile(value)
		if err != nil {
			return "", fmt.Errorf("sign bundle: %s: %w", name, err)
		}
		files = append(files, opabundle.NewFile(name, hex.EncodeToString(sum), opabundle.SHA256.String()))
	}
	return opabundle.GenerateSignedToken(files, opabundle.NewSigningConfig(key.PEM, key.Algorithm, ""), key.ID)
}

// unpack lists a bundle's files but its signature.
func unpack(packed []byte) ([]entry, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	var entries []entry
	t := tar.NewReader(io.LimitReader(zip, maxUnpacked))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		if !opabundle.IsSignaturesFile(h.Name) {
			entries = append(entries, entry{h.Name, data})
		}
	}
}

// pack writes the files as OPA's own writer does: no owner, no time.
func pack(entries []entry) ([]byte, error) {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	t := tar.NewWriter(zip)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o600, Typeflag: tar.TypeReg, Size: int64(len(e.data)), ModTime: time.Unix(0, 0)}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("write bundle: %w", err)
		}
		if _, err := t.Write(e.data); err != nil {
			return nil, fmt.Errorf("write bundle: %w", err)
		}
	}
	if err := errors.Join(t.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("write bundle: %w", err)
	}
	return buf.Bytes(), nil
}
