package analysis_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
)

// Every test of a ready-made policy passes, and every rule decides a case.
func TestLibrary(t *testing.T) {
	result := policyset.Compile(policyset.Library(), compiler.Options{})
	if result.Bundle == nil || len(result.Policies) != len(policies.Names()) {
		t.Fatalf("the library does not compile: %+v", result.Diagnostics)
	}
	for _, p := range result.Policies {
		t.Run(p.Name, func(t *testing.T) {
			suite, err := runner().Run(context.Background(), "../../policies/"+p.Name+"_test.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if !suite.Ran() || len(suite.Cases) == 0 {
				t.Fatalf("not run: %+v", suite.Diagnostics)
			}
			decided := map[string]bool{}
			for _, c := range suite.Cases {
				if !c.Pass {
					t.Errorf("%s:%d: %s: %s", c.Pos.File, c.Pos.Line, c.Ask, c.Reason)
				}
				if c.Got != nil {
					decided[c.Got.Rule] = true
				}
				if c.Want.Rule == "" && c.Want.Code == "" && c.Want.Expect == "deny" {
					t.Errorf("%s:%d: %s: no code is given", c.Pos.File, c.Pos.Line, c.Ask)
				}
			}
			for _, id := range ids(p) {
				if !decided[id] {
					t.Errorf("no case is decided by %s", id)
				}
			}
		})
	}
}

// ids lists the rules that the author wrote; what is inherited is for the tests
// of the base.
func ids(p *plan.Policy) []string {
	return slices.DeleteFunc(allIDs(p), func(id string) bool { return strings.Contains(id, "/") })
}

func allIDs(p *plan.Policy) []string {
	var out []string
	for _, list := range [][]plan.NetworkRule{p.Network.Outbound, p.Network.Denied} {
		for _, r := range list {
			out = append(out, r.ID)
		}
	}
	for _, list := range [][]plan.PathRule{p.File.Writable, p.File.Readonly, p.File.Blocked} {
		for _, r := range list {
			out = append(out, r.ID)
		}
	}
	for _, r := range p.Exec.Allowed {
		out = append(out, r.ID)
	}
	for _, r := range p.Exec.Blocked {
		out = append(out, r.ID)
	}
	return out
}

// The two policies that the product was asked for with stay byte for byte.
func TestGivenPoliciesAreUnchanged(t *testing.T) {
	for name, want := range map[string]string{
		"github-readonly": "d72bd9ee51be9a7cd8ff992de5f80eb5029f0f6cca6881e398b96d15b71d8097",
		"full-dev":        "6647f1a0d63ae5b05ad21dc5cac42e292a3383e32f697d0e76bd3ae0665d02a9",
	} {
		text, ok := policies.Text(name)
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); !ok || got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
}

// The tests of the ready-made policies notice their mistakes.
func TestLibraryMutants(t *testing.T) {
	files, err := filepath.Glob("../../policies/*_test.yaml")
	if err != nil || len(files) != len(policies.Names()) {
		t.Fatalf("%d tests of %d policies, %v", len(files), len(policies.Names()), err)
	}
	suites, err := runner().RunAll(context.Background(), files, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := runner().Mutate(context.Background(), suites, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Policies {
		if p.Score < 95 {
			t.Errorf("%s: the mutation score is %.1f %%; openshell-policy test policies --mutate shows why", p.Policy, p.Score)
		}
	}
	if len(m.Policies) != len(files) || m.Tally.Mutants < 20*len(files) {
		t.Errorf("%d mutants of %d policies", m.Tally.Mutants, len(m.Policies))
	}
}
