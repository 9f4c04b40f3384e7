package archive

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
)

// Source is the text of a file that the bundle's policies were compiled from.
type Source struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// maxSources bounds the unpacked sources, in bytes of JSON.
const maxSources = 128 << 20

// Sources returns the texts that the compiler kept in the manifest; none where it
// kept none. They are as trustworthy as the bundle, and decide nothing.
func (a *Archive) Sources() ([]Source, error) {
	if len(a.Manifest.Metadata.Sources) == 0 {
		return nil, nil
	}
	zip, err := gzip.NewReader(bytes.NewReader(a.Manifest.Metadata.Sources))
	if err != nil {
		return nil, refuse(CodeManifest, "", "the manifest's sources cannot be read: %v", err)
	}
	text, err := io.ReadAll(io.LimitReader(zip, maxSources+1))
	if err != nil {
		return nil, refuse(CodeManifest, "", "the manifest's sources cannot be read: %v", err)
	}
	if len(text) > maxSources {
		return nil, refuse(CodeSize, "", "the manifest's sources unpack to more than %d bytes", maxSources)
	}
	var out []Source
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, refuse(CodeManifest, "", "the manifest's sources cannot be read: %v", err)
	}
	return out, nil
}
