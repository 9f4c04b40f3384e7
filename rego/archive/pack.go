package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
)

// Pack writes the archive as a bundle without a signature, for an engine of this
// process: what was admitted, with what the process added to it.
func (a *Archive) Pack() ([]byte, error) {
	var buf bytes.Buffer
	zip, err := gzip.NewWriterLevel(&buf, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	t := tar.NewWriter(zip)
	for _, f := range append([]File{{manifestName, a.manifest}}, a.Files...) {
		h := &tar.Header{Name: "/" + f.Name, Mode: 0o600, Typeflag: tar.TypeReg, Size: int64(len(f.Data))}
		if err := t.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack bundle: %w", err)
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, fmt.Errorf("pack bundle: %w", err)
		}
	}
	if err := errors.Join(t.Close(), zip.Close()); err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	return buf.Bytes(), nil
}
