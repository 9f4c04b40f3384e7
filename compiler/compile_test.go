package compiler_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego"
)

const policies = "../policies"

func source(t *testing.T, name string) compiler.Source {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(policies, name))
	if err != nil {
		t.Fatal(err)
	}
	return compiler.Source{Name: name, Data: data}
}

// The ready-made policies compile without a finding, alone and together, and
// beside a library that holds the same.
func TestReadyMadePolicies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(policies, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []compiler.Source
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.yaml") && filepath.Base(f) != "invariants.yaml" {
			all = append(all, source(t, filepath.Base(f)))
		}
	}
	if len(all) < 4 {
		t.Fatalf("saw %d policies", len(all))
	}
	opts := compiler.Options{Library: all, Rego: rego.Library()}
	together := compiler.Compile(all, opts)
	if len(together.Diagnostics) != 0 || together.Bundle == nil || len(together.Policies) != len(all) {
		t.Errorf("together: %d policies, %v", len(together.Policies), together.Diagnostics)
	}
	for _, s := range all {
		if r := compiler.Compile([]compiler.Source{s}, opts); len(r.Diagnostics) != 0 || len(r.Policies) != 1 {
			t.Errorf("%s: %v", s.Name, r.Diagnostics)
		}
	}
}

// What the user's first policy says is what its plan says.
func TestPlanOfGithubReadonly(t *testing.T) {
	r := compiler.Compile([]compiler.Source{source(t, "github-readonly.yaml")}, compiler.Options{Rego: rego.Library()})
	if len(r.Policies) != 1 {
		t.Fatal(r.Diagnostics)
	}
	p := r.Policies[0]
	first := p.Network.Outbound[0]
	if first.ID != "outbound[0]" || first.Pos != (diag.Position{File: "github-readonly.yaml", Line: 10, Col: 9}) || first.Text != "api.github.com" {
		t.Errorf("origin: got %+v", first.Origin)
	}
	if diff := cmp.Diff([]string{"GET", "HEAD"}, first.Methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]plan.Endpoint{{Scheme: "https", Port: 443}, {Scheme: "http", Port: 80}}, first.Endpoints); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	if got := ids(p.File.Blocked); !slices.Equal(got, []string{"filesystem.blocked[0]", "filesystem.blocked[1]", "filesystem.blocked[2]", "filesystem.blocked[3]"}) {
		t.Errorf("blocked: got %v", got)
	}
	if len(p.File.Sensitive) == 0 || len(p.File.SensitiveHome) == 0 || len(p.File.Baseline) == 0 || p.Exec.Present {
		t.Errorf("got %d sensitive, %d below home, %d baseline, execution %t", len(p.File.Sensitive), len(p.File.SensitiveHome), len(p.File.Baseline), p.Exec.Present)
	}
}

func ids(rules []plan.PathRule) []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.ID)
	}
	return out
}

// The same sources give the same bytes, in whatever order they come.
func TestBundleIsDeterministic(t *testing.T) {
	a, b := source(t, "github-readonly.yaml"), source(t, "full-dev.yaml")
	opts := compiler.Options{Rego: rego.Library(), Name: "n", Serial: 3}
	first := compiler.Compile([]compiler.Source{a, b}, opts)
	second := compiler.Compile([]compiler.Source{b, a}, opts)
	if first.Bundle == nil || !bytes.Equal(first.Bundle, second.Bundle) || first.Revision != second.Revision {
		t.Errorf("got revisions %q and %q, %d and %d bytes", first.Revision, second.Revision, len(first.Bundle), len(second.Bundle))
	}
	opts.Revision = "r1"
	if third := compiler.Compile([]compiler.Source{a, b}, opts); third.Revision != "r1" || bytes.Equal(third.Bundle, first.Bundle) {
		t.Errorf("got revision %q, want r1", third.Revision)
	}
	a.Data = append(bytes.Clone(a.Data), "      - \"**/secret\"\n"...)
	if changed := compiler.Compile([]compiler.Source{a, b}, compiler.Options{Rego: rego.Library()}); changed.Revision == first.Revision {
		t.Error("a changed policy has the same revision")
	}
}

// A base that cannot be read is not also called unknown.
func TestBrokenBaseIsReportedOnce(t *testing.T) {
	broken := strings.Replace(head, "NAME", "base", 1) + "spec: [\n"
	r := compiler.Compile([]compiler.Source{
		{Name: "a.yaml", Data: []byte(strings.Replace(head, "NAME", "a", 1) + "spec: {extends: [base]}\n")},
		{Name: "base.yaml", Data: []byte(broken)},
	}, compiler.Options{Rego: rego.Library()})
	if len(r.Diagnostics) != 1 || r.Diagnostics[0].Pos.File != "base.yaml" {
		t.Errorf("got %v", r.Diagnostics)
	}
}

const head = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: NAME}\n"

// Documents of other kinds are passed over.
func TestTestsAreNotCompiled(t *testing.T) {
	r := compiler.Compile([]compiler.Source{source(t, "full-dev.yaml"), source(t, "full-dev_test.yaml")}, compiler.Options{Rego: rego.Library()})
	if len(r.Diagnostics) != 0 || len(r.Policies) != 1 || r.Sources["full-dev_test.yaml"] == nil {
		t.Errorf("got %d policies, %v", len(r.Policies), r.Diagnostics)
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, rules := range []int{10, 200, 10000} {
		var text strings.Builder
		text.WriteString(strings.Replace(head, "NAME", "bench", 1) + "spec:\n  network:\n    outbound:\n")
		for i := range rules {
			fmt.Fprintf(&text, "      - host: h%d.example.com\n        methods: [GET]\n        paths: [\"/repos/r%d/**\"]\n", i, i)
		}
		sources := []compiler.Source{{Name: "bench.yaml", Data: []byte(text.String())}}
		b.Run(fmt.Sprintf("%d rules", rules), func(b *testing.B) {
			for b.Loop() {
				if r := compiler.Compile(sources, compiler.Options{Rego: rego.Library()}); r.Bundle == nil {
					b.Fatal(r.Diagnostics)
				}
			}
		})
	}
}
