package archive

import (
	"slices"
	"time"
)

// Format is the version of the bundle's data and generated sets that this program
// decides by.
const Format = 1

// Roots are what a bundle of ours owns of data, and all that it may.
func Roots() []string { return []string{"openshell", "system/log"} }

// Manifest is a bundle's .manifest.
type Manifest struct {
	Revision    string    `json:"revision"`
	Roots       *[]string `json:"roots"`
	RegoVersion *int      `json:"rego_version"`
	Metadata    Metadata  `json:"metadata"`
}

// Metadata is what the compiler writes about a bundle.
type Metadata struct {
	Name       string    `json:"name"`
	Serial     int64     `json:"serial"`
	Format     int       `json:"format"`
	Policies   []string  `json:"policies"`
	Compiler   string    `json:"compiler"`
	SourceMap  string    `json:"source_map"`           // SHA-256 of the source map
	Expires    time.Time `json:"expires,omitzero"`     // zero: never
	Sources    []byte    `json:"sources,omitempty"`    // see Archive.Sources
	Extensions []string  `json:"extensions,omitempty"` // names
}

func (a *Archive) decode() error {
	const hint = "build the bundle with openshell-policy compile"
	if a.manifest == nil {
		return refuse(CodeManifest, hint, "the bundle has no .manifest")
	}
	if err := strictly(a.manifest, &a.Manifest); err != nil {
		return refuse(CodeManifest, hint, "the manifest cannot be read: %v", err)
	}
	m := &a.Manifest
	switch {
	case m.Revision == "":
		return refuse(CodeManifest, hint, "the manifest has no revision")
	case m.Roots == nil || !slices.Equal(*m.Roots, Roots()):
		return refuse(CodeManifest, hint, "the manifest's roots are not %q", Roots())
	case m.RegoVersion == nil || *m.RegoVersion != 1:
		return refuse(CodeManifest, hint, "the manifest does not say rego_version 1")
	case m.Metadata.Format != Format:
		return refuse(CodeManifest, "use a compiler and a gateway of one release", "the bundle's format is %d, this program decides by format %d", m.Metadata.Format, Format)
	case m.Metadata.Serial < 0:
		return refuse(CodeManifest, hint, "the manifest's serial is %d", m.Metadata.Serial)
	}
	return nil
}
