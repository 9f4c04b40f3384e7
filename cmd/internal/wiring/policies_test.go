package wiring_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func policy(name, spec string) string {
	return "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: " + name + "}\nspec: " + spec + "\n"
}

// compiled returns the names that the policies compile to.
func compiled(t *testing.T, p *wiring.Policies) string {
	t.Helper()
	if _, _, err := p.Compile(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p.Summary()
}

func TestWithoutPathsTheReadyMadeOnesAreServed(t *testing.T) {
	p := wiring.NewPolicies(nil, t.TempDir())
	got := strings.Split(compiled(t, p), ", ")
	slices.Sort(got)
	if want := policies.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text, ok := p.Source("full-dev")
	if want, _ := policies.Text("full-dev"); !ok || text != string(want) {
		t.Errorf("source: %t, %d bytes", ok, len(text))
	}
	if _, ok := p.Source("nowhere"); ok {
		t.Error("a source for a policy that is not there")
	}
}

func TestApply(t *testing.T) {
	state := t.TempDir()
	own := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(own, []byte(policy("own", "{}")), 0o600); err != nil {
		t.Fatal(err)
	}
	p := wiring.NewPolicies([]string{own}, state)
	compiled(t, p)
	two := policy("a", "{extends: [own]}") + "---\n" + policy("b", "{}")
	steps := []struct {
		name, text string
		changed    bool
		code       string // of the error
		after      string // policies in force
	}{
		{"new", policy("mine", "{}"), true, "", "own, mine"},
		{"again", policy("mine", "{}"), false, "", "own, mine"},
		{"a comment", policy("mine", "{} # mine"), true, "", "own, mine"},
		{"of the operator's", policy("own", "{mode: audit}"), false, "taken", "own, mine"},
		{"the operator's own bytes", policy("own", "{}"), false, "", "own, mine"},
		{"two at once", two, true, "", "own, a, mine"},
		{"part of a file", policy("b", "{}"), false, "taken", "own, a, mine"},
		{"broken", policy("mine", "{mood: audit}"), false, "invalid_policy", "own, a, mine"},
		{"no policy", "kind: PolicyTest\n", false, "invalid_policy", "own, a, mine"},
		{"nothing", "", false, "invalid_policy", "own, a, mine"},
		{"of the library", libraryText(t, "github-clone"), true, "", "own, a, github-clone, mine"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			out, err := p.Apply(context.Background(), "", []byte(step.text))
			var e *adminapi.Error
			if errors.As(err, &e) != (step.code != "") || e != nil && e.Code != step.code || e == nil && err != nil {
				t.Fatalf("got error %v, want %q", err, step.code)
			}
			if out.Changed != step.changed {
				t.Errorf("changed %t, want %t", out.Changed, step.changed)
			}
			if got := compiled(t, p); !sameNames(got, step.after) {
				t.Errorf("in force: %s, want %s", got, step.after)
			}
		})
	}
	// They outlive the gateway.
	if got := compiled(t, wiring.NewPolicies([]string{own}, state)); !strings.Contains(got, "mine") {
		t.Errorf("after a restart: %s", got)
	}
}

func libraryText(t *testing.T, name string) string {
	t.Helper()
	text, ok := policies.Text(name)
	if !ok {
		t.Fatalf("no policy %s", name)
	}
	return string(text)
}

// sameNames compares lists of names; "a" stands for the file with a and b.
func sameNames(got, want string) bool {
	g := strings.Split(got, ", ")
	for _, w := range strings.Split(want, ", ") {
		if !slices.Contains(g, w) {
			return false
		}
	}
	return slices.Contains(g, "github-clone") == strings.Contains(want, "github-clone")
}

func TestCompileErrorSaysWhatIsWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(file, []byte(policy("bad", "{mood: audit}")), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := wiring.NewPolicies([]string{file}, t.TempDir()).Compile(context.Background())
	var broken *wiring.CompileError
	if !errors.As(err, &broken) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "OSP1007") || !strings.Contains(broken.Text(false), "hint: ") {
		t.Errorf("got %q and %q", err, broken.Text(false))
	}
}

func TestCompare(t *testing.T) {
	p := wiring.NewPolicies(nil, t.TempDir())
	compiled(t, p)
	got, err := p.Compare(context.Background(), "deny-all", "github-readonly")
	if err != nil || len(got) == 0 || !strings.Contains(got[0], "+ api.github.com, + github.com") {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := p.Compare(context.Background(), "deny-all", "nowhere"); err == nil {
		t.Error("no error for a policy that is not there")
	}
}
