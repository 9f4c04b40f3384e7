package lint_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/policies"
)

func library() []lint.Source {
	var out []lint.Source
	for _, name := range policies.Names() {
		text, _ := policies.Text(name)
		out = append(out, lint.Source{Name: "library/" + name + ".yaml", Data: text})
	}
	return out
}

// files are the files of an example.
func files(example string) []lint.Source {
	if !strings.HasPrefix(example, "-- ") {
		return []lint.Source{{Name: "p.yaml", Data: []byte(example)}}
	}
	var out []lint.Source
	for _, f := range txtar.Parse([]byte(example)).Files {
		out = append(out, lint.Source{Name: f.Name, Data: f.Data})
	}
	return out
}

func findings(example string) []diag.Diagnostic {
	sources := files(example)
	if sources[0].Name == lint.ConfigName {
		_, ds := lint.ParseConfig(sources[0].Name, sources[0].Data)
		return ds
	}
	return lint.Run(sources, lint.Options{Library: library()}).Diagnostics
}

func with(ds []diag.Diagnostic, code string) []diag.Diagnostic {
	return slices.DeleteFunc(slices.Clone(ds), func(d diag.Diagnostic) bool { return d.Code != code })
}

// Every code of lint is triggered by its bad example, at a line and with a hint,
// and not by its near miss. Neither has an error of the compiler.
func TestCatalogue(t *testing.T) {
	seen := 0
	for _, info := range diag.Codes() {
		if info.Part != diag.PartLint {
			continue
		}
		seen++
		t.Run(info.Code, func(t *testing.T) {
			bad, good := findings(info.Bad), findings(info.Good)
			found := with(bad, info.Code)
			if len(found) == 0 {
				t.Errorf("not triggered by\n%s\nbut: %v", info.Bad, bad)
			}
			for _, d := range found {
				if d.Severity != info.Severity || d.Pos.Line < 1 || d.Hint == "" || d.Message == "" {
					t.Errorf("got %+v", d)
				}
			}
			if wrong := with(good, info.Code); len(wrong) > 0 {
				t.Errorf("the near miss\n%s\ngives %v", info.Good, wrong)
			}
			for _, d := range slices.Concat(bad, good) {
				if i, _ := diag.Lookup(d.Code); i.Part != diag.PartLint {
					t.Errorf("the example does not compile: %v", d)
				}
			}
		})
	}
	if seen < 60 {
		t.Errorf("saw %d codes of lint; there are more", seen)
	}
}

// The two policies of the product's first document have no error.
func TestReadyMadePoliciesHaveNoErrors(t *testing.T) {
	seen := 0
	for _, s := range library() {
		seen++
		r := lint.Run([]lint.Source{s}, lint.Options{Library: library(), NoTests: true})
		if diag.HasErrors(r.Diagnostics) || r.Policies != 1 {
			t.Errorf("%s: %d policies, %v", s.Name, r.Policies, r.Diagnostics)
		}
	}
	if seen < 4 {
		t.Errorf("saw %d policies", seen)
	}
}

// Every finding that a check may give has a code of the catalogue, and every code
// of lint is given by something.
func TestEveryCheckIsDocumented(t *testing.T) {
	for _, code := range lint.CheckCodes() {
		if info, ok := diag.Lookup(code); !ok || info.Part != diag.PartLint {
			t.Errorf("%s is given and not documented", code)
		}
	}
}
