package analysis_test

import (
	"context"
	"path/filepath"
	"testing"
)

// TestCases runs the tables of testdata/cases; the case's id is the subtest's
// name.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../../testdata/cases/*_test.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("got %d files and %v, want the exec and the network cases", len(files), err)
	}
	for _, file := range files {
		suite, err := runner().Run(context.Background(), file)
		if err != nil {
			t.Fatal(err)
		}
		if !suite.Ran() || len(suite.Cases) == 0 {
			t.Fatalf("%s was not run: %+v", file, suite.Diagnostics)
		}
		for _, c := range suite.Cases {
			t.Run(c.Name, func(t *testing.T) {
				if !c.Pass {
					t.Errorf("%s:%d: %s: %s", c.Pos.File, c.Pos.Line, c.Ask, c.Reason)
				}
			})
		}
	}
}
