package archive

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Keep takes every policy but one out of the archive, and the sources of all. What
// the policy is decided by stays: the library, extensions and masks.
func (a *Archive) Keep(policy string) error {
	doc, err := a.data()
	if err != nil {
		return err
	}
	entry := doc.index[policy]
	if entry == nil {
		return fmt.Errorf("keep: there is no policy %q", policy)
	}
	doc.index = map[string]json.RawMessage{policy: entry}
	text, err := doc.encode()
	if err != nil {
		return err
	}
	a.Files = slices.DeleteFunc(slices.Clone(a.Files), func(f File) bool {
		return strings.HasPrefix(f.Name, policiesDir) && !strings.HasPrefix(f.Name, policiesDir+policy+"/")
	})
	for i := range a.Files {
		if a.Files[i].Name == dataName {
			a.Files[i].Data = text
		}
	}
	a.Manifest.Metadata.Policies, a.Manifest.Metadata.Sources = []string{policy}, nil
	a.manifest, err = json.Marshal(a.Manifest)
	a.signatures = nil
	return err
}
