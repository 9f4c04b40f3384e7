package main

import (
	"testing"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
)

// Every code of the shim and the runtimes can be explained.
func TestSandboxCodesAreExplained(t *testing.T) {
	given := fault.Codes()
	for _, code := range given {
		if info, ok := diag.Lookup(code); !ok || info.Part != diag.PartSandbox || info.Why == "" || info.Fix == "" {
			t.Errorf("%s: nothing explains it", code)
		}
	}
	if len(given) < 10 {
		t.Errorf("got %d codes", len(given))
	}
}
