package compiler_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/rego"
)

var update = flag.Bool("update", false, "write golden files")

const golden = "diagnostics"

// Each archive holds policies and what is said of them. Every finding has a code
// that is documented, a place inside the file and a hint.
func TestBadInput(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("saw %d archives, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			result, want := compileArchive(archive)
			if len(result.Diagnostics) == 0 {
				t.Fatal("nothing was found")
			}
			checkDiagnostics(t, result)
			var got bytes.Buffer
			if err := diag.WriteText(&got, result.Diagnostics, result.Sources, false); err != nil {
				t.Fatal(err)
			}
			if *update {
				writeGolden(t, file, archive, got.Bytes())
				return
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

func compileArchive(a *txtar.Archive) (result *compiler.Result, want string) {
	var sources []compiler.Source
	for _, f := range a.Files {
		if f.Name == golden {
			want = string(f.Data)
			continue
		}
		sources = append(sources, compiler.Source{Name: f.Name, Data: f.Data})
	}
	return compiler.Compile(sources, compiler.Options{Rego: rego.Library()}), want
}

func writeGolden(t *testing.T, file string, a *txtar.Archive, text []byte) {
	t.Helper()
	var files []txtar.File
	for _, f := range a.Files {
		if f.Name != golden {
			files = append(files, f)
		}
	}
	a.Files = append(files, txtar.File{Name: golden, Data: text})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkDiagnostics holds what is true of every finding.
func checkDiagnostics(t *testing.T, r *compiler.Result) {
	t.Helper()
	if diag.HasErrors(r.Diagnostics) != (r.Bundle == nil) {
		t.Errorf("bundle of %d bytes with errors = %t", len(r.Bundle), diag.HasErrors(r.Diagnostics))
	}
	for _, d := range r.Diagnostics {
		name := fmt.Sprintf("%s:%d:%d: %s %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Code, d.Message)
		info, known := diag.Lookup(d.Code)
		if !known || info.Severity != d.Severity {
			t.Errorf("%s: severity %s, documented %t with %s", name, d.Severity, known, info.Severity)
		}
		if d.Hint == "" {
			t.Errorf("%s: no hint", name)
		}
		if !within(r.Sources[d.Pos.File], d.Pos) {
			t.Errorf("%s: not a place of the file", name)
		}
		for _, rel := range d.Related {
			if !within(r.Sources[rel.Pos.File], rel.Pos) || rel.Message == "" {
				t.Errorf("%s: related %v is no place", name, rel)
			}
		}
	}
}

func within(text []byte, p diag.Position) bool {
	lines := bytes.Split(text, []byte("\n"))
	return p.Line >= 1 && p.Line <= len(lines) && p.Col >= 1 && p.Col <= len([]rune(string(lines[p.Line-1])))+1
}
