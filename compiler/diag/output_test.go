package diag_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // carries the schema
	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/openshell-policy/openshell/compiler/diag"
)

const source = "a: b\nmetadata:\n  - héllo: {x: \"y\"} # 100%\n\tend\n"

// report holds everything that an output must cope with.
func report() *diag.Report {
	file := "a b/p,1:2%.yaml"
	at := func(line, col int) diag.Position { return diag.Position{File: file, Line: line, Col: col} }
	return &diag.Report{
		Version: "v1", Files: []string{file, "clean.yaml"}, Sources: map[string][]byte{file: []byte(source)},
		Diagnostics: []diag.Diagnostic{
			{
				Code: "OSP3004", Severity: diag.Warning, Pos: at(3, 5), Width: 5, Message: "100% <b>|`x`\r\n@you", Hint: "write a, b: c",
				Related: []diag.Related{{Pos: at(1, 1), Message: "here"}},
				Fixes: []diag.Fix{
					{Title: "write y", Safe: true, Edits: []diag.Edit{{File: file, Start: 24, End: 25, New: "é"}}},
					{Title: "remove it", Edits: []diag.Edit{{File: file, Start: 0, End: 5}, {File: file, Start: 15, End: 42}}},
				},
			},
			{Code: "OSP3004", Severity: diag.Info, Pos: at(3, 5), Message: "again"},
			{Code: "OSP1002", Severity: diag.Error, Pos: at(4, 1), Message: "tab"},
			{Code: "OSP1099", Severity: diag.Error, Message: "fault"},
			{Code: "OSP9999", Severity: diag.Info, Pos: at(99, 1), Message: "unknown code"},
		},
	}
}

func write(t *testing.T, format string, r *diag.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := diag.Write(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// officialSchema is the SARIF schema of OASIS as a Go module carries it.
func officialSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	p, err := build.Import("github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && len(lit.Value) > 1000 {
			text, _ = strconv.Unquote(lit.Value)
		}
		return true
	})
	if !strings.Contains(text, "SARIF") {
		t.Fatalf("the module's schema.go holds no schema, but %d bytes", len(text))
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat = true
	if err := compiler.AddResource("sarif.json", strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(schema *jsonschema.Schema, text []byte) error {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return schema.Validate(v)
}

func TestSARIFIsValid(t *testing.T) {
	schema := officialSchema(t)
	for name, r := range map[string]*diag.Report{"everything": report(), "nothing": {}} {
		if err := validate(schema, write(t, diag.FormatSARIF, r)); err != nil {
			t.Errorf("%s: %#v", name, err)
		}
	}
	broken := bytes.Replace(write(t, diag.FormatSARIF, report()), []byte(`"ruleId"`), []byte(`"rule"`), 1)
	if validate(schema, broken) == nil {
		t.Error("the schema takes a property that there is not: it checks nothing")
	}
}

type sarif struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID   string
					Help struct{ Text, Markdown string }
				}
			}
		}
		Invocations []struct{ ToolExecutionNotifications []any }
		Results     []struct {
			RuleID              string
			RuleIndex           int
			Level               string
			PartialFingerprints map[string]string
			Locations           []struct {
				PhysicalLocation struct {
					ArtifactLocation struct{ URI string }
					Region           struct{ StartLine, StartColumn, EndColumn int }
				}
			}
			Fixes []struct {
				ArtifactChanges []struct {
					Replacements []struct {
						DeletedRegion struct{ StartLine, StartColumn, EndLine, EndColumn int }
					}
				}
			}
		}
	}
}

func parseSARIF(t *testing.T, text []byte) sarif {
	t.Helper()
	var got sarif
	if err := json.Unmarshal(text, &got); err != nil || len(got.Runs) != 1 {
		t.Fatalf("%v, %d runs", err, len(got.Runs))
	}
	return got
}

func TestSARIFResults(t *testing.T) {
	run := parseSARIF(t, write(t, diag.FormatSARIF, report())).Runs[0]
	var levels, places []string
	prints := map[string]bool{}
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		levels = append(levels, r.Level)
		places = append(places, fmt.Sprintf("%s %d:%d-%d", at.ArtifactLocation.URI, at.Region.StartLine, at.Region.StartColumn, at.Region.EndColumn))
		prints[r.PartialFingerprints["primaryLocationLineHash"]] = true
		if rule := run.Tool.Driver.Rules[r.RuleIndex]; rule.ID != r.RuleID || rule.Help.Text == "" {
			t.Errorf("%s has the rule %+v", r.RuleID, rule)
		}
	}
	if diff := cmp.Diff([]string{"warning", "note", "error", "error", "note"}, levels); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	uri := "a%20b/p,1:2%25.yaml"
	want := []string{uri + " 3:5-10", uri + " 3:5-6", uri + " 4:1-2", "openshell 1:0-0", uri + " 99:1-2"}
	if diff := cmp.Diff(want, places); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if len(prints) != len(run.Results) {
		t.Errorf("%d fingerprints of %d results", len(prints), len(run.Results))
	}
	fix := run.Results[0].Fixes[1].ArtifactChanges[0].Replacements[1].DeletedRegion
	if fix.StartLine != 3 || fix.StartColumn != 1 || fix.EndLine != 3 || fix.EndColumn != 27 {
		t.Errorf("the second edit: got %+v", fix)
	}
}

// A finding that only moved keeps its fingerprint.
func TestFingerprintsOutliveMoving(t *testing.T) {
	print := func(r *diag.Report) string {
		return parseSARIF(t, write(t, diag.FormatSARIF, r)).Runs[0].Results[0].PartialFingerprints["primaryLocationLineHash"]
	}
	a := &diag.Report{Sources: map[string][]byte{"p": []byte("mode: audit\n")}, Diagnostics: []diag.Diagnostic{{Code: "OSP3004", Severity: diag.Error, Pos: diag.Position{File: "p", Line: 1, Col: 1}}}}
	b := &diag.Report{Sources: map[string][]byte{"p": []byte("#\n  mode:  audit\n")}, Diagnostics: []diag.Diagnostic{{Code: "OSP3004", Severity: diag.Error, Pos: diag.Position{File: "p", Line: 2, Col: 3}}}}
	c := &diag.Report{Sources: b.Sources, Diagnostics: []diag.Diagnostic{{Code: "OSP3005", Severity: diag.Error, Pos: diag.Position{File: "p", Line: 2, Col: 3}}}}
	if print(a) != print(b) || print(b) == print(c) {
		t.Errorf("got %s, %s, %s", print(a), print(b), print(c))
	}
}

func TestSARIFKeepsGitHubsLimit(t *testing.T) {
	r := &diag.Report{}
	for i := range 25010 {
		severity := diag.Info
		if i >= 25000 {
			severity = diag.Error
		}
		r.Diagnostics = append(r.Diagnostics, diag.Diagnostic{Code: "OSP3004", Severity: severity, Pos: diag.Position{File: "p.yaml", Line: i + 1, Col: 1}})
	}
	run := parseSARIF(t, write(t, diag.FormatSARIF, r)).Runs[0]
	if len(run.Results) != 25000 || run.Results[24999].Level != "error" || len(run.Invocations[0].ToolExecutionNotifications) != 1 {
		t.Errorf("%d results, the last %s, %v", len(run.Results), run.Results[len(run.Results)-1].Level, run.Invocations)
	}
}

func TestGitHub(t *testing.T) {
	want := "::error file=a b/p%2C1%3A2%25.yaml,line=4,endLine=4,col=1,endColumn=2,title=OSP1002::tab\n" +
		"::error file=openshell,title=OSP1099::fault\n" +
		"::warning file=a b/p%2C1%3A2%25.yaml,line=3,endLine=3,col=5,endColumn=10,title=OSP3004::100%25 <b>|`x`??@you%0Ahint: write a, b: c\n" +
		"::notice file=a b/p%2C1%3A2%25.yaml,line=3,endLine=3,col=5,endColumn=6,title=OSP3004::again\n" +
		"::notice file=a b/p%2C1%3A2%25.yaml,line=99,endLine=99,col=1,endColumn=2,title=OSP9999::unknown code\n"
	if diff := cmp.Diff(want, string(write(t, diag.FormatGitHub, report()))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJUnit(t *testing.T) {
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Name     string `xml:"name,attr"`
			Tests    int    `xml:"tests,attr"`
			Failures int    `xml:"failures,attr"`
			Cases    []struct {
				Name    string `xml:"name,attr"`
				Failure *struct {
					Type string `xml:"type,attr"`
					Text string `xml:",chardata"`
				} `xml:"failure"`
				Output string `xml:"system-out"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	r := report()
	r.FailOn = diag.Warning
	text := write(t, diag.FormatJUnit, r)
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 6 || got.Failures != 3 || len(got.Suites) != 3 || got.Suites[1].Name != "clean.yaml" || got.Suites[1].Failures != 0 {
		t.Errorf("got %+v", got)
	}
	first := got.Suites[0].Cases[0]
	if first.Failure == nil || first.Failure.Type != "warning" || !strings.Contains(first.Failure.Text, "  - héllo") || !strings.Contains(first.Failure.Text, "hint:") {
		t.Errorf("got %+v", first)
	}
	if c := got.Suites[0].Cases[1]; c.Failure != nil || !strings.Contains(c.Output, "again") {
		t.Errorf("a note: got %+v", c)
	}
}

func TestMarkdown(t *testing.T) {
	text := string(write(t, diag.FormatMarkdown, report()))
	for _, want := range []string{
		"### Policy lint: 2 errors, 1 warning, 2 notes\n",
		"| ⚠️ warning | `a b/p,1:2%.yaml:3:5` | OSP3004 | 100% &lt;b&gt;\\|\\`x\\`??&#64;you | write a, b: c |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	r := &diag.Report{}
	for range 2000 {
		r.Diagnostics = append(r.Diagnostics, diag.Diagnostic{Code: "OSP3004", Severity: diag.Error, Message: strings.Repeat("x", 50)})
	}
	if text := string(write(t, diag.FormatMarkdown, r)); len(text) > 61000 || !strings.Contains(text, " more\n") {
		t.Errorf("%d bytes: %s", len(text), text[len(text)-80:])
	}
	if text := string(write(t, diag.FormatMarkdown, &diag.Report{})); text != "### Policy lint: no findings\n" {
		t.Errorf("got %q", text)
	}
}

func TestUnknownFormat(t *testing.T) {
	if err := diag.Write(&bytes.Buffer{}, "xml", &diag.Report{}); err == nil {
		t.Error("an unknown format is written")
	}
	for _, f := range diag.Formats() {
		if len(write(t, f, report())) == 0 {
			t.Errorf("%s writes nothing", f)
		}
	}
}
