package wiring

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
)

// bundleJoins adds to a bundle the policies that are bound beside others, compiled
// from the sources that the bundle holds. They are as much signed as the bundle is:
// the library of this program adds nothing to them.
type bundleJoins struct {
	mu    sync.Mutex
	joins [][]string
	cache compiler.Cache
}

func (j *bundleJoins) set(joins [][]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.joins = joins
}

// add returns the bundle with the joined policies in it. One that cannot be joined is
// left out, and said: what is bound to it is denied.
func (j *bundleJoins) add(bundle []byte) (joined []byte, warnings []string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.joins) == 0 {
		return bundle, nil, nil
	}
	a, err := archive.Read(bundle)
	if err != nil {
		return nil, nil, err
	}
	sources, err := a.Sources()
	if err != nil {
		return nil, nil, err
	}
	for _, names := range j.joins {
		name := schemas.JoinedName(names[0], names[1:])
		if err := j.one(a, sources, names, name); err != nil {
			warnings = append(warnings, fmt.Sprintf("%s cannot be bound together: %v", strings.Join(names, " and "), err))
		}
	}
	joined, err = a.Pack()
	return joined, warnings, err
}

func (j *bundleJoins) one(a *archive.Archive, texts []archive.Source, names []string, name string) error {
	if slices.Contains(a.Manifest.Metadata.Policies, name) {
		return nil // the owner joined them
	}
	var sources []compiler.Source
	for _, s := range texts {
		sources = append(sources, compiler.Source{Name: s.Name, Data: s.Data})
	}
	if len(sources) == 0 {
		return fmt.Errorf("the bundle holds no sources (it was compiled with --no-sources)")
	}
	sources = append(sources, policyset.Joined("bound", names[0], names[1:]))
	result := compiler.Compile(sources, compiler.Options{Rego: rego.Library(), Cache: &j.cache})
	if result.Bundle == nil {
		for _, d := range result.Diagnostics {
			if d.Severity == diag.Error {
				return fmt.Errorf("%s: %s", d.Code, d.Message)
			}
		}
	}
	other, err := archive.Read(result.Bundle)
	if err != nil {
		return err
	}
	return a.Join(other, name)
}
