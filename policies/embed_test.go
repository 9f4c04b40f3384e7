package policies_test

import (
	"io/fs"
	"slices"
	"testing"

	"github.com/openshell-policy/openshell/policies"
)

func TestEachPolicyHasATest(t *testing.T) {
	names := policies.Names()
	for _, want := range []string{"deny-all", "full-dev", "github-clone", "github-readonly"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing from %v", want, names)
		}
	}
	for _, name := range names {
		if _, err := fs.Stat(policies.Files(), name+"_test.yaml"); err != nil {
			t.Errorf("%s has no test: %v", name, err)
		}
		if text, ok := policies.Text(name); !ok || len(text) == 0 {
			t.Errorf("%s has no text", name)
		}
	}
}

func TestTextKnowsOnlyPolicies(t *testing.T) {
	for _, name := range []string{"", "nope", "full-dev_test", "../go", "embed.go"} {
		if _, ok := policies.Text(name); ok {
			t.Errorf("%q has a text", name)
		}
	}
}
