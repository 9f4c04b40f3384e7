package format_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/format"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/rego"
)

func seeds(f *testing.F) {
	f.Helper()
	n := 0
	for _, info := range diag.Codes() {
		f.Add([]byte(info.Bad))
		f.Add([]byte(info.Good))
	}
	for _, pattern := range []string{"../../policies/*.yaml", "testdata/*.txtar"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if strings.HasSuffix(name, ".txtar") {
				data = txtar.Parse(data).Files[0].Data
			}
			f.Add(data)
			n++
		}
	}
	if n < 10 {
		f.Fatalf("%d files", n)
	}
}

// Formatting is idempotent, and a text that can be read is formatted to one that
// compiles to the same revision, or refused for a reason that its author can mend.
func FuzzSource(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		once, _, err := format.Source("p.yaml", data)
		var refused *format.RefusedError
		if errors.As(err, &refused) {
			if strings.Contains(refused.Reason, "please report") {
				t.Errorf("%v:\n%s\nto\n%s", err, data, once)
			}
			return
		}
		if once == nil {
			return
		}
		twice, ds, err := format.Source("p.yaml", once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("not idempotent: %v, %v\n%s\nthen\n%s\nthen\n%s", err, ds, data, once, twice)
		}
		if diff := cmp.Diff(planned(data), planned(once), cmpopts.IgnoreTypes(diag.Position{}), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("the plan of\n%s\nis not that of\n%s\n%s", data, once, diff)
		}
	})
}

// planned is all that the policies themselves say.
func planned(data []byte) []*plan.Policy {
	var plans []*plan.Policy
	docs, _ := parse.File("p.yaml", data)
	for _, d := range docs {
		if d.Policy != nil {
			plans = append(plans, check.Own(d))
		}
	}
	return plans
}

// Formatting keeps the revision of ready-made policies.
func TestRevisions(t *testing.T) {
	seen := 0
	for _, name := range []string{"github-readonly", "full-dev", "github-clone", "deny-all"} {
		text, _ := policies.Text(name)
		mangled := strings.ReplaceAll(string(text), "\n\n", "\n\n\n  \n")
		after, ds, err := format.Source("p.yaml", []byte(mangled))
		if err != nil || len(ds) > 0 {
			t.Fatalf("%s: %v, %v", name, err, ds)
		}
		a, b := revision(t, text), revision(t, after)
		if a == "" || a != b {
			t.Errorf("%s: revision %q became %q", name, a, b)
		}
		seen++
	}
	if seen < 4 {
		t.Errorf("saw %d policies", seen)
	}
}

func revision(t *testing.T, data []byte) string {
	t.Helper()
	opts := compiler.Options{Rego: rego.Library()}
	for _, name := range policies.Names() {
		text, _ := policies.Text(name)
		opts.Library = append(opts.Library, compiler.Source{Name: "library/" + name + ".yaml", Data: text})
	}
	return compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: data}}, opts).Revision
}
