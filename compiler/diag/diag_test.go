package diag_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/diag"
)

func at(line, col int) diag.Position { return diag.Position{File: "p.yaml", Line: line, Col: col} }

func TestWriteText(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct {
		name, source string
		d            diag.Diagnostic
		want         string
	}{
		{
			"caret and hint", "a: b\nhosts: x\n",
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Error, Pos: at(2, 1), Width: 5, Message: `unknown field "hosts"`, Hint: "did you mean host?"},
			"p.yaml:2:1: error OSP1007: unknown field \"hosts\"\n    2 | hosts: x\n      | ^^^^^\nhint: did you mean host?\n",
		},
		{
			"tabs", "\ta:\tb\n",
			diag.Diagnostic{Code: "OSP1002", Severity: diag.Error, Pos: at(1, 5), Message: "m"},
			"p.yaml:1:5: error OSP1002: m\n    1 |     a:  b\n      |         ^\n",
		},
		{
			"wide characters", "名前: 値\n",
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Error, Pos: at(1, 5), Width: 1, Message: "m"},
			"p.yaml:1:5: error OSP1007: m\n    1 | 名前: 値\n      |       ^^\n",
		},
		{
			"combining characters", "e\u0301: x\n",
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Warning, Pos: at(1, 5), Message: "m"},
			"p.yaml:1:5: warning OSP1007: m\n    1 | e\u0301: x\n      |    ^\n",
		},
		{
			"CRLF", "a: b\r\n",
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Error, Pos: at(1, 4), Message: "m"},
			"p.yaml:1:4: error OSP1007: m\n    1 | a: b\n      |    ^\n",
		},
		{
			"end of line", "a: b\n",
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Error, Pos: at(1, 5), Width: 9, Message: "m"},
			"p.yaml:1:5: error OSP1007: m\n    1 | a: b\n      |     ^\n",
		},
		{
			"long line", long + "y" + long,
			diag.Diagnostic{Code: "OSP1007", Severity: diag.Error, Pos: at(1, 301), Message: "m"},
			"p.yaml:1:301: error OSP1007: m\n    1 | ..." + long[:59] + "y" + long[:97] + "\n      | " + strings.Repeat(" ", 62) + "^\n",
		},
		{
			"related", "a: 1\na: 2\n",
			diag.Diagnostic{
				Code: "OSP1004", Severity: diag.Error, Pos: at(2, 1), Message: "again", Hint: "h",
				Related: []diag.Related{{Pos: at(1, 1), Message: "first"}},
			},
			"p.yaml:2:1: error OSP1004: again\n    2 | a: 2\n      | ^\np.yaml:1:1: note: first\n    1 | a: 1\n      | ^\nhint: h\n",
		},
		{
			"no source", "",
			diag.Diagnostic{Code: "OSP1012", Severity: diag.Error, Pos: at(1, 1), Message: "empty"},
			"p.yaml:1:1: error OSP1012: empty\n",
		},
		{
			"nothing steers the terminal", "a: \x1b[2J\n",
			diag.Diagnostic{Code: "OSP1001", Severity: diag.Error, Pos: at(1, 4), Message: "byte \x1b[2J\n"},
			"p.yaml:1:4: error OSP1001: byte ?[2J?\n    1 | a: ?[2J\n      |    ^\n",
		},
		{
			"line beyond the file", "a\n",
			diag.Diagnostic{Code: "OSP1002", Severity: diag.Error, Pos: at(9, 1), Message: "m"},
			"p.yaml:9:1: error OSP1002: m\n",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := diag.WriteText(&b, []diag.Diagnostic{test.d}, map[string][]byte{"p.yaml": []byte(test.source)}, false); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, b.String()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteTextInColor(t *testing.T) {
	d := diag.New("OSP1007", at(1, 1), "m", "h")
	var b bytes.Buffer
	if err := diag.WriteText(&b, []diag.Diagnostic{d, d}, map[string][]byte{"p.yaml": []byte("a\n")}, true); err != nil {
		t.Fatal(err)
	}
	one := "\x1b[1mp.yaml:1:1\x1b[0m: \x1b[31merror\x1b[0m OSP1007: m\n    1 | a\n      | \x1b[31m^\x1b[0m\n\x1b[32mhint:\x1b[0m h\n"
	if diff := cmp.Diff(one+"\n"+one, b.String()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestWriteJSON(t *testing.T) {
	ds := []diag.Diagnostic{{
		Code: "OSP1004", Severity: diag.Error, Pos: at(2, 1), Width: 4, Message: "<again>", Hint: "h",
		Related: []diag.Related{{Pos: at(1, 1), Message: "first"}},
	}}
	var b bytes.Buffer
	if err := diag.WriteJSON(&b, ds); err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	place := func(line float64) any { return map[string]any{"file": "p.yaml", "line": line, "column": 1.0} }
	want := map[string]any{"diagnostics": []any{map[string]any{
		"code": "OSP1004", "severity": "error", "position": place(2), "width": 4.0, "message": "<again>", "hint": "h",
		"related": []any{map[string]any{"position": place(1), "message": "first"}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
	b.Reset()
	if err := diag.WriteJSON(&b, nil); err != nil || strings.TrimSpace(b.String()) != "{\n  \"diagnostics\": []\n}" {
		t.Errorf("nothing found: got %q, %v", b.String(), err)
	}
}

func TestSort(t *testing.T) {
	find := func(file string, line, col int, code string) diag.Diagnostic {
		return diag.Diagnostic{Code: code, Pos: diag.Position{File: file, Line: line, Col: col}}
	}
	ds := []diag.Diagnostic{find("b", 1, 1, "x"), find("a", 2, 1, "x"), find("a", 1, 2, "x"), find("a", 1, 1, "y"), find("a", 1, 1, "x")}
	diag.Sort(ds)
	want := []diag.Diagnostic{find("a", 1, 1, "x"), find("a", 1, 1, "y"), find("a", 1, 2, "x"), find("a", 2, 1, "x"), find("b", 1, 1, "x")}
	if diff := cmp.Diff(want, ds); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestHasErrors(t *testing.T) {
	warning, failure := diag.Diagnostic{Severity: diag.Warning}, diag.Diagnostic{Severity: diag.Error}
	if diag.HasErrors(nil) || diag.HasErrors([]diag.Diagnostic{warning}) || !diag.HasErrors([]diag.Diagnostic{warning, failure}) {
		t.Error("a warning counts, or an error does not")
	}
}

func TestCodesAreOrderedAndDocumented(t *testing.T) {
	before := ""
	for _, c := range diag.Codes() {
		if c.Code <= before || len(c.Code) != len("OSP1001") || !strings.HasPrefix(c.Code, "OSP") {
			t.Errorf("%s after %s", c.Code, before)
		}
		before = c.Code
		shown := c.Good != "" || c.Part != diag.PartCompile && c.Part != diag.PartLint
		if c.Title == "" || c.Why == "" || c.Fix == "" || !shown || c.Severity == "" {
			t.Errorf("%s is not documented: %+v", c.Code, c)
		}
		if found, ok := diag.Lookup(c.Code); !ok || found != c {
			t.Errorf("%s is not found", c.Code)
		}
	}
	if before == "" {
		t.Error("there are no codes")
	}
	if _, ok := diag.Lookup("OSP0000"); ok {
		t.Error("found a code that there is not")
	}
}
