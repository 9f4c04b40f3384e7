package main

import (
	"testing"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/rego/archive"
)

// Every code that refuses a bundle can be explained.
func TestBundleCodesAreExplained(t *testing.T) {
	given := archive.Codes()
	for _, code := range given {
		if info, ok := diag.Lookup(code); !ok || info.Part != diag.PartBundle || info.Why == "" || info.Fix == "" {
			t.Errorf("%s: nothing explains it", code)
		}
	}
	if len(given) < 13 {
		t.Errorf("got %d codes", len(given))
	}
}
