package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// The limits of Read.
const (
	MaxPacked   = 32 << 20  // bytes of the archive
	MaxUnpacked = 256 << 20 // bytes of its files together
	MaxFiles    = 20_000
)

// File is one file of a bundle.
type File struct {
	Name string // without a leading slash
	Data []byte
}

// Archive is a bundle taken apart. Nothing in it has been evaluated.
type Archive struct {
	Files    []File // in the order of the tar, less manifest and signature
	Manifest Manifest

	manifest   []byte // as it stands in the tar
	signatures *bundle.SignaturesConfig
}

const (
	manifestName   = ".manifest"
	signaturesName = ".signatures.json"
	dataName       = "data.json"
)

// Read takes a bundle apart. It verifies no signature: Verify does.
func Read(packed []byte) (*Archive, error) {
	if len(packed) > MaxPacked {
		return nil, refuse(CodeSize, "", "the bundle has %d bytes, at most %d are read", len(packed), MaxPacked)
	}
	raw := bytes.NewReader(packed)
	zip, err := gzip.NewReader(raw)
	if err != nil {
		return nil, refuse(CodeFormat, "a bundle is what openshell-policy compile -o FILE writes", "not a gzipped tar: %v", err)
	}
	zip.Multistream(false)
	a, err := unpack(tar.NewReader(zip))
	if err != nil {
		return nil, err
	}
	if err := atEnd(zip, raw); err != nil {
		return nil, err
	}
	return a, a.decode()
}

// unpack reads the tar's entries within the limits.
func unpack(t *tar.Reader) (*Archive, error) {
	a := &Archive{}
	seen := map[string]bool{}
	var total int64
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, refuse(CodeFormat, "fetch it again: it may have been cut off", "the archive cannot be read: %v", err)
		}
		name, err := entryName(h)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, refuse(CodeEntry, "", "the archive holds %q twice", name)
		}
		seen[name] = true
		if total += h.Size; h.Size < 0 || total > MaxUnpacked || len(seen) > MaxFiles {
			return nil, refuse(CodeSize, "", "the archive unpacks to more than %d bytes or %d files", MaxUnpacked, MaxFiles)
		}
		data, err := content(t, h.Size)
		if err != nil {
			return nil, err
		}
		if err := a.take(name, data); err != nil {
			return nil, err
		}
	}
}

// content reads one entry. Memory grows with what is there, not with what the
// header promises.
func content(t *tar.Reader, size int64) ([]byte, error) {
	var buf bytes.Buffer
	if size < 1<<20 {
		buf.Grow(int(size))
	}
	n, err := io.Copy(&buf, io.LimitReader(t, size))
	if err != nil || n != size {
		return nil, refuse(CodeFormat, "fetch it again: it may have been cut off", "the archive ends inside an entry")
	}
	return buf.Bytes(), nil
}

// entryName returns an entry's name without its leading slash. A name that two
// programs could take for different files is refused.
func entryName(h *tar.Header) (string, error) {
	const hint = "build the bundle with openshell-policy compile"
	if h.Typeflag != tar.TypeReg {
		return "", refuse(CodeEntry, hint, "%q is no regular file", h.Name)
	}
	name := strings.TrimPrefix(h.Name, "/")
	if name == "" || name != path.Clean(name) || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/") || name == ".." || name == "." {
		return "", refuse(CodeEntry, hint, "%q is no clean path inside the bundle", h.Name)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\ufffd' }) {
		return "", refuse(CodeEntry, hint, "%q holds characters that no name of a bundle has", h.Name)
	}
	return name, nil
}

func (a *Archive) take(name string, data []byte) error {
	switch {
	case name == manifestName:
		a.manifest = data
	case name == signaturesName:
		var s bundle.SignaturesConfig
		if err := strictly(data, &s); err != nil {
			return refuse(CodeSignature, "", "%s cannot be read: %v", name, err)
		}
		a.signatures = &s
	case name == dataName, strings.HasSuffix(name, ".rego"):
		a.Files = append(a.Files, File{name, data})
	default:
		return refuse(CodeEntry, "build the bundle with openshell-policy compile", "%q has no place in a bundle of policies", name)
	}
	return nil
}

// atEnd refuses what follows the tar's end, in the compressed stream or after it:
// nobody signs it, and readers disagree about it. Reading to the end also checks
// the stream's checksum.
func atEnd(zip *gzip.Reader, raw *bytes.Reader) error {
	rest := make([]byte, 32<<10)
	for read := 0; ; {
		n, err := zip.Read(rest)
		if read += n; read > 1<<20 || len(bytes.Trim(rest[:n], "\x00")) > 0 {
			return refuse(CodeFormat, "", "bytes follow the end of the archive")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse(CodeFormat, "fetch it again: it may have been cut off", "the archive cannot be read: %v", err)
		}
	}
	if raw.Len() > 0 {
		return refuse(CodeFormat, "", "%d bytes follow the end of the archive", raw.Len())
	}
	return nil
}

// strictly decodes one JSON value and nothing after it.
func strictly(data []byte, v any) error {
	dec := util.NewJSONDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}
