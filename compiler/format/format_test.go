package format_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/format"
	"github.com/openshell-policy/openshell/policies"
)

var update = flag.Bool("update", false, "write golden files")

// Each archive holds a text and its canonical form, which is its own.
func TestGolden(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) < 5 {
		t.Fatalf("saw %d archives, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil || len(archive.Files) != 2 {
				t.Fatalf("%v, %d files", err, len(archive.Files))
			}
			got := canonical(t, string(archive.Files[0].Data))
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, canonical(t, got)); diff != "" {
				t.Errorf("not idempotent (-once +twice):\n%s", diff)
			}
		})
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	got, ds, err := format.Source("p.yaml", []byte(text))
	if err != nil || len(ds) > 0 {
		t.Fatalf("%v, %v", err, ds)
	}
	return string(got)
}

// The user's own policies have the canonical form already.
func TestReadyMadePolicies(t *testing.T) {
	for _, name := range []string{"github-readonly", "full-dev", "github-clone", "deny-all"} {
		text, ok := policies.Text(name)
		if !ok {
			t.Fatalf("no policy %s", name)
		}
		if diff := cmp.Diff(string(text), canonical(t, string(text))); diff != "" {
			t.Errorf("%s (-is +canonical):\n%s", name, diff)
		}
	}
}

func TestUnreadable(t *testing.T) {
	text, ds, err := format.Source("p.yaml", []byte("spec: [\n"))
	if text != nil || !diag.HasErrors(ds) || err != nil {
		t.Errorf("got %q, %v, %v", text, ds, err)
	}
	const head = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\n"
	for _, refused := range []string{
		"--- {apiVersion: openshell.nvidia.com/v1alpha1, kind: SandboxPolicy, metadata: {name: x}, spec: {}}\n",
		head + "spec: {}\n--- {apiVersion: openshell.nvidia.com/v1alpha1, kind: SandboxPolicy, metadata: {name: y}, spec: {}}\n",
	} {
		var why *format.RefusedError
		if _, _, err := format.Source("p.yaml", []byte(refused)); !errors.As(err, &why) || why.Reason == "" {
			t.Errorf("%q: got %v", refused, err)
		}
	}
}
