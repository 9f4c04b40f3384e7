package tables

import "slices"

// BaselinePath is one path that programs need in order to start and run.
type BaselinePath struct {
	Glob   string `json:"glob"`
	Reason string `json:"reason"`
}

var baseline = entries[BaselinePath]("baseline.json")

// BaselinePaths lists what filesystem.baseline: runtime makes readable, with the
// reasons that explain prints.
func BaselinePaths() []BaselinePath { return slices.Clone(baseline()) }

// Baseline lists the globs of BaselinePaths.
func Baseline() []string {
	globs := make([]string, 0, len(baseline()))
	for _, p := range baseline() {
		globs = append(globs, p.Glob)
	}
	return globs
}

// The anchors of a sensitive path.
const (
	AnchorAbsolute = "absolute" // the glob is an absolute path
	AnchorHome     = "home"     // the glob is relative to a home directory
)

// SensitivePath is a well-known secret. A glob anchored at home has no leading
// slash: ".ssh/**".
type SensitivePath struct {
	Glob   string `json:"glob"`
	Anchor string `json:"anchor"`
	Reason string `json:"reason"`
}

var sensitive = entries[SensitivePath]("sensitive.json")

// Sensitive lists what filesystem.sensitive: block blocks.
func Sensitive() []SensitivePath { return slices.Clone(sensitive()) }
