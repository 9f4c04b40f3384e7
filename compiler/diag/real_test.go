package diag_test

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
)

// What lint really finds is written validly, with all that it holds.
func TestRealFindings(t *testing.T) {
	names, err := filepath.Glob("../lint/testdata/nasty/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sources []lint.Source
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, lint.Source{Name: filepath.Base(name), Data: data})
	}
	found := lint.Run(sources, lint.Options{NoTests: true})
	if len(found.Diagnostics) < 200 {
		t.Fatalf("%d findings", len(found.Diagnostics))
	}
	r := &diag.Report{Diagnostics: found.Diagnostics, Sources: found.Sources}
	text := write(t, diag.FormatSARIF, r)
	if err := validate(officialSchema(t), text); err != nil {
		t.Errorf("%#v", err)
	}
	run := parseSARIF(t, text).Runs[0]
	fixes, prints := 0, map[string]bool{}
	for _, res := range run.Results {
		fixes += len(res.Fixes)
		prints[res.Locations[0].PhysicalLocation.ArtifactLocation.URI+res.PartialFingerprints["primaryLocationLineHash"]] = true
	}
	if len(run.Results) != len(found.Diagnostics) || fixes < 10 || len(prints) != len(run.Results) {
		t.Errorf("%d results of %d, %d fixes, %d fingerprints", len(run.Results), len(found.Diagnostics), fixes, len(prints))
	}
}

// Whatever a finding and its file hold, every output is well-formed.
func FuzzWrite(f *testing.F) {
	f.Add("p.yaml", []byte("a: b\n"), 1, 1, 3, "message", "hint")
	f.Add("a b/\x00%:,", []byte("\t名前: \x1b[2J\r\n"), 1, 4, 2, "m\r\n::error::x", "]]>&<")
	f.Add("", []byte{}, -1, -1, -1, "", "")
	f.Add("p", []byte(strings.Repeat("x", 500)), 1, 400, 90, "\u202e", "e\u0301")
	f.Fuzz(func(t *testing.T, file string, source []byte, line, col, width int, message, hint string) {
		width = min(width, 1<<20)
		d := diag.Diagnostic{
			Code: "OSP3004", Severity: diag.Warning, Pos: diag.Position{File: file, Line: line, Col: col}, Width: width, Message: message, Hint: hint,
			Related: []diag.Related{{Pos: diag.Position{File: file, Line: line}, Message: message}},
			Fixes:   []diag.Fix{{Title: message, Edits: []diag.Edit{{File: file, Start: col, End: width, New: hint}}}},
		}
		r := &diag.Report{Diagnostics: []diag.Diagnostic{d}, Sources: map[string][]byte{file: source}}
		for _, format := range diag.Formats() {
			text := write(t, format, r)
			switch format {
			case diag.FormatJSON, diag.FormatSARIF:
				if !json.Valid(text) {
					t.Errorf("%s: %q", format, text)
				}
			case diag.FormatJUnit:
				if err := xml.Unmarshal(text, new(struct{ XMLName xml.Name })); err != nil {
					t.Errorf("%v: %q", err, text)
				}
			case diag.FormatGitHub:
				if n := strings.Count(string(text), "\n"); n != 1 || !strings.HasPrefix(string(text), "::warning ") {
					t.Errorf("%d lines: %q", n, text)
				}
			case diag.FormatText:
				if strings.ContainsAny(string(text), "\x1b\r\x00") || utf8.ValidString(file+message+hint+string(source)) && !utf8.Valid(text) {
					t.Errorf("it steers the terminal: %q", text)
				}
			}
		}
	})
}
