package rego_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// TestLibrary runs the Rego library's own tests through OPA's tester.
func TestLibrary(t *testing.T) {
	modules := map[string]*ast.Module{}
	files, err := filepath.Glob("lib/*.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if modules[file], err = ast.ParseModule(file, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	results, err := tester.NewRunner().SetStore(inmem.New()).SetModules(modules).RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for r := range results {
		ran++
		t.Run(r.Name, func(t *testing.T) {
			if !r.Pass() {
				t.Errorf("%s:%d: got %v, want a pass", r.Location.File, r.Location.Row, r)
			}
		})
	}
	if ran < 8 {
		t.Errorf("ran %d Rego tests, want at least 8", ran)
	}
}
