package parse_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/schemas"
)

const head = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\n"

// summary renders the first line of each finding.
func summary(ds []diag.Diagnostic) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s:%d:%d: %s %s: %s\n", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Severity, d.Code, d.Message)
	}
	return b.String()
}

// Bad input that is too long, or not text, and so in no archive.
func TestFileRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"10 MB", strings.Repeat("# padding\n", 1<<20), "p:1:1: error OSP1011: the file has 10485760 bytes; a policy file has at most 2097152\n"},
		{"one byte too many", head + "spec: {}\n#" + strings.Repeat("x", parse.MaxSize-len(head)-9), "p:1:1: error OSP1011: the file has 2097153 bytes; a policy file has at most 2097152\n"},
		{"many documents", strings.Repeat("---\n", 2000), "p:1:1: error OSP1011: the file holds 1000 documents or more\n"},
		{"binary", "\x7fELF\x02\x01\x01\x00", "p:1:1: error OSP1001: byte 0x7f is not text\n"},
		{"NUL", head + "spec: {}\x00\n", "p:4:9: error OSP1001: byte 0x00 is not text\n"},
		{"invalid UTF-8", head + "spec: {} # \xff\n", "p:4:12: error OSP1001: byte 0xff is not UTF-8\n"},
		{"UTF-16", "a\x00p\x00i\x00", "p:1:2: error OSP1001: byte 0x00 is not text\n"},
		{"lone carriage return", head + "spec: {}\r# hidden\n", "p:4:9: error OSP1001: byte 0x0d is not text\n"},
		{"line separator", head + "spec: {} #\u2028\n", "p:4:11: error OSP1001: U+2028 is a control character\n"},
		{"deep flow", head + "spec: " + strings.Repeat("[", 100000), "p:4:10007: error OSP1005: the document is nested too deeply\n"},
		{"deep blocks", strings.Repeat("- ", 70) + "x\n", "p:1:131: error OSP1005: nested more than 64 levels deep\np:1:1: error OSP1009: a document is a mapping of fields\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			docs, ds := parse.File("p", []byte(test.text))
			diag.Sort(ds)
			want := strings.Split(test.want, "\n")
			got := strings.Split(summary(ds), "\n")
			if len(docs) != 0 || !cmp.Equal(sorted(got), sorted(want)) {
				t.Errorf("got %d documents and\n%swant\n%s", len(docs), summary(ds), test.want)
			}
			for _, d := range ds {
				if d.Hint == "" {
					t.Errorf("%s %s: no hint", d.Code, d.Message)
				}
			}
		})
	}
}

func sorted(lines []string) map[string]bool {
	set := map[string]bool{}
	for _, l := range lines {
		set[l] = true
	}
	return set
}

func TestFileBoundsFindings(t *testing.T) {
	_, ds := parse.File("p", []byte(head+"spec: {}\n"+strings.Repeat("spec: {}\n", 5000)))
	if len(ds) < 100 || len(ds) > 300 || !strings.Contains(ds[len(ds)-1].Message, "more findings") {
		t.Errorf("got %d findings, the last %q", len(ds), ds[len(ds)-1].Message)
	}
}

func TestFileTolerates(t *testing.T) {
	whole := head + "spec: {mode: audit}\n"
	tests := map[string]string{
		"byte order mark": "\ufeff" + whole,
		"CRLF":            strings.ReplaceAll(whole, "\n", "\r\n"),
		"no last newline": strings.TrimSuffix(whole, "\n"),
		"document marker": "---\n" + whole + "...\n",
		"empty documents": "---\n---\n" + whole + "---\n# nothing\n---\n",
		"JSON":            `{"apiVersion": "openshell.nvidia.com/v1alpha1", "kind": "SandboxPolicy", "metadata": {"name": "x"}, "spec": {"mode": "audit"}}`,
	}
	for name, text := range tests {
		docs, ds := parse.File("p", []byte(text))
		if len(docs) != 1 || len(ds) != 0 || docs[0].Policy.Spec.Mode != schemas.ModeAudit {
			t.Errorf("%s: %d documents\n%s", name, len(docs), summary(ds))
		}
	}
}

const positions = head + `spec:
  network:
    outbound:
      - host: "a.example.com"
        paths: ['/it''s/x', /plain/x]
`

func TestPositions(t *testing.T) {
	for name, text := range map[string]string{
		"plain": positions, "CRLF": strings.ReplaceAll(positions, "\n", "\r\n"), "byte order mark": "\ufeff" + positions,
	} {
		docs, ds := parse.File("p", []byte(text))
		if len(docs) != 1 {
			t.Fatalf("%s: %s", name, summary(ds))
		}
		d := docs[0]
		tests := []struct {
			name      string
			got       diag.Position
			line, col int
		}{
			{"root", d.Pos(), 1, 1},
			{"scalar", d.Pos("kind"), 2, 7},
			{"key", d.KeyPos("kind"), 2, 1},
			{"rule", d.Pos("spec", "network", "outbound", 0), 7, 9},
			{"quoted", d.Pos("spec", "network", "outbound", 0, "host"), 7, 15},
			{"key in a rule", d.KeyPos("spec", "network", "outbound", 0, "host"), 7, 9},
			{"entry has no key", d.KeyPos("spec", "network", "outbound", 0), 7, 9},
			{"what is absent has its parent's", d.Pos("spec", "network", "denied", 3, "host"), 6, 5},
			{"inside double quotes", d.Inside(2, "spec", "network", "outbound", 0, "host"), 7, 18},
			{"inside single quotes", d.Inside(6, "spec", "network", "outbound", 0, "paths", 0), 8, 17 + 1 + 6 + 1},
			{"inside plain text", d.Inside(7, "spec", "network", "outbound", 0, "paths", 1), 8, 29 + 7},
			{"past the end", d.Inside(99, "spec", "network", "outbound", 0, "paths", 1), 8, 29},
		}
		for _, test := range tests {
			want := diag.Position{File: "p", Line: test.line, Col: test.col}
			if test.got != want {
				t.Errorf("%s, %s: got %v, want %v", name, test.name, test.got, want)
			}
		}
	}
}

func TestText(t *testing.T) {
	second := strings.Replace(head, "x}", "y}", 1) + "spec: {}\n"
	docs, ds := parse.File("p", []byte("# first\n"+head+"spec: {}\n---\n"+second+"---\n# nothing\n"))
	if len(docs) != 2 {
		t.Fatal(summary(ds))
	}
	for i, want := range []string{"# first\n" + head + "spec: {}\n", second} {
		if got := string(docs[i].Text()); got != want {
			t.Errorf("document %d: got %q, want %q", i, got, want)
		}
	}
}

func TestShortForms(t *testing.T) {
	text := `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: x}
spec:
  policies: [p.yaml]
  cases:
    - request: GET https://a.example.com/b?c=d e
      expect: allow
    - request: {method: POST, url: "https://a.example.com/", websocket: true}
      expect: deny
    - command: [git, commit, -m, "it's"]
      expect: allow
`
	docs, ds := parse.File("t.yaml", []byte(text))
	if len(docs) != 1 || docs[0].Test == nil || docs[0].Policy != nil {
		t.Fatal(summary(ds))
	}
	want := []schemas.TestCase{
		{Request: &schemas.TestRequest{Method: "GET", URL: "https://a.example.com/b?c=d e"}, Expect: "allow"},
		{Request: &schemas.TestRequest{Method: "POST", URL: "https://a.example.com/", WebSocket: true}, Expect: "deny"},
		{Command: `'git' 'commit' '-m' 'it'\''s'`, Expect: "allow"},
	}
	if diff := cmp.Diff(want, docs[0].Test.Spec.Cases); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
}

// Numbers and words are read by YAML 1.2: what YAML 1.1 takes for a truth value,
// an octal number or a date is text.
func TestScalars(t *testing.T) {
	tests := []struct{ annotation, want string }{
		{"no", "no"},
		{"on", "on"},
		{"Yes", "Yes"},
		{"2026-01-01", "2026-01-01"},
		{"0x1F", "0x1F"},
		{"1_000", "1_000"},
		{"1:30", "1:30"},
		{"'443'", "443"},
		{"|-\n      a\n      b", "a\nb"},
	}
	for _, test := range tests {
		text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata:\n  name: x\n  annotations:\n    a: " + test.annotation + "\nspec: {}\n"
		docs, ds := parse.File("p", []byte(text))
		if len(docs) != 1 {
			t.Errorf("%s: %s", test.annotation, summary(ds))
			continue
		}
		if got := docs[0].Policy.Metadata.Annotations["a"]; got != test.want {
			t.Errorf("%s: got %q, want %q", test.annotation, got, test.want)
		}
	}
	for _, number := range []string{"1", "-1", "1.5", "1e3", "true", "null", "~"} {
		text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x, annotations: {a: " + number + "}}\nspec: {}\n"
		if docs, ds := parse.File("p", []byte(text)); len(docs) != 0 || len(ds) != 1 || ds[0].Hint == "" {
			t.Errorf("%s: %d documents, %s", number, len(docs), summary(ds))
		}
	}
}

func TestClosest(t *testing.T) {
	words := []string{"host", "methods", "paths", "ports"}
	for written, want := range map[string]string{"hosts": "host", "method": "methods", "path": "paths", "Host": "host", "binaries": "", "x": ""} {
		if got := parse.Closest(written, words); got != want {
			t.Errorf("%s: got %q, want %q", written, got, want)
		}
	}
}

// FuzzParse holds that File neither panics nor points outside the file, and that
// what it accepts decodes.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, ds := parse.File("p", text)
		lines := bytes.Split(text, []byte("\n"))
		for _, d := range ds {
			places := []diag.Position{d.Pos}
			for _, r := range d.Related {
				places = append(places, r.Pos)
			}
			for _, p := range places {
				if p.Line < 1 || p.Line > len(lines) || p.Col < 1 || p.Col > len([]rune(string(lines[p.Line-1])))+1 {
					t.Errorf("%s %q points to %v of %d lines", d.Code, d.Message, p, len(lines))
				}
			}
			if d.Hint == "" || d.Message == "" {
				t.Errorf("%s %q has no hint or message", d.Code, d.Message)
			}
		}
		if len(docs)+len(ds) == 0 {
			t.Error("nothing is said")
		}
		for _, d := range docs {
			kinds := 0
			for _, is := range []bool{d.Policy != nil, d.Test != nil, d.Invariants != nil} {
				if is {
					kinds++
				}
			}
			if kinds != 1 || len(d.Text()) == 0 {
				t.Errorf("document at %v is of %d kinds, with %d bytes", d.Pos(), kinds, len(d.Text()))
			}
		}
	})
}

func seeds(f *testing.F) [][]byte {
	f.Helper()
	out := [][]byte{[]byte(positions), []byte("\ufeff" + head), []byte("a: \"\\x41\\"), []byte("? [a]\n: b"), []byte("- - - x")}
	archives, _ := filepath.Glob("../testdata/bad/*.txtar")
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				out = append(out, file.Data)
			}
		}
	}
	policies, _ := filepath.Glob("../../policies/*.yaml")
	for _, name := range policies {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		out = append(out, text)
	}
	if len(out) < 40 {
		f.Fatalf("saw %d seeds", len(out))
	}
	return out
}
