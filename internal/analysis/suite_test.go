package analysis_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
)

const policyText = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: one}
spec: {network: {outbound: [{host: a.example.com, methods: [GET]}]}}
---
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: two}
spec: {network: {outbound: [{name: other, host: b.example.com}]}}
`

const testText = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  policy: one
  cases:
    - {request: GET https://a.example.com/, expect: allow, rule: "outbound[0]"}
    - {request: POST https://a.example.com/, expect: allow}
    - {request: POST https://a.example.com/, expect: deny, code: path_not_allowed}
    - {policy: two, request: GET https://b.example.com/, expect: allow, rule: other}
    - {policy: full-dev, file: read /etc/shadow, expect: deny, rule: "filesystem.blocked[0]"}
    - {policy: three, request: GET https://b.example.com/, expect: allow}
    - {with: [two], request: GET https://b.example.com/, expect: allow, rule: two/other}
    - {with: [two], request: GET https://a.example.com/, expect: allow, rule: "outbound[0]"}
    - {request: "GET https://a.example.com/%00", expect: deny, code: bad_request}
`

func runner() *analysis.Runner {
	return &analysis.Runner{
		Read: func(path string) ([]compiler.Source, error) { return policyset.Read(path) },
		Compile: func(sources []compiler.Source) *compiler.Result {
			return policyset.Compile(sources, compiler.Options{})
		},
		Library: policyset.ReadyMade,
	}
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRunSuite(t *testing.T) {
	dir := write(t, map[string]string{"p.yaml": policyText, "t_test.yaml": testText})
	s, err := runner().Run(context.Background(), filepath.Join(dir, "t_test.yaml"))
	if err != nil || !s.Ran() {
		t.Fatalf("%v: %+v", err, s)
	}
	want := []string{
		"", "deny, not allow", "code method_not_allowed, not path_not_allowed", "", "",
		`no policy named "three" in the files of spec.policies; they hold full-dev, one, two`, "", "", "",
	}
	if len(s.Cases) != len(want) {
		t.Fatalf("%d cases, want %d", len(s.Cases), len(want))
	}
	for i, c := range s.Cases {
		if c.Reason != want[i] || c.Pass != (want[i] == "") {
			t.Errorf("%s: pass %t, %q, want %q", c.Ask, c.Pass, c.Reason, want[i])
		}
		if c.Pos.Line != i+8 {
			t.Errorf("%s: line %d, want %d", c.Ask, c.Pos.Line, i+8)
		}
	}
	if got := analysis.Count([]*analysis.Suite{s}); got != (analysis.Totals{Files: 1, Cases: 9, Failed: 3}) {
		t.Errorf("totals %+v", got)
	}
}

func TestWriteText(t *testing.T) {
	dir := write(t, map[string]string{"p.yaml": policyText, "t_test.yaml": testText})
	s, err := runner().Run(context.Background(), filepath.Join(dir, "t_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := analysis.WriteText(&b, []*analysis.Suite{s}, false, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 of 9 cases", ":9:7: POST https://a.example.com/\n", "    wrong  deny, not allow\n",
		"    got    deny method_not_allowed by outbound[0]", "FAIL  1 file, 9 cases, 3 failed\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

func TestSuitesThatCannotRun(t *testing.T) {
	tests := map[string]struct {
		files map[string]string
		err   string // of RunSuite
		code  string // of a diagnostic
	}{
		"policy missing": {map[string]string{"t_test.yaml": testText}, "t_test.yaml:5:14: ", ""},
		"policy broken":  {map[string]string{"t_test.yaml": testText, "p.yaml": strings.Replace(policyText, "host: a", "hots: a", 1)}, "", "OSP1007"},
		"not a test":     {map[string]string{"t_test.yaml": policyText}, "", "OSP1006"},
		"test broken":    {map[string]string{"t_test.yaml": strings.Replace(testText, "expect: allow", "expect: maybe", 1)}, "", "OSP1009"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s, err := runner().Run(context.Background(), filepath.Join(write(t, test.files), "t_test.yaml"))
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			has := func(d diag.Diagnostic) bool { return d.Code == test.code }
			if err == nil && (s.Ran() || len(s.Cases) != 0 || !slices.ContainsFunc(s.Diagnostics, has)) {
				t.Errorf("got %+v, want %s", s.Diagnostics, test.code)
			}
		})
	}
}

func TestRunSuitesKeepsTheOrder(t *testing.T) {
	files := map[string]string{"p.yaml": policyText}
	var paths []string
	for _, n := range []string{"a", "b", "c", "d"} {
		files[n+"_test.yaml"] = testText
	}
	dir := write(t, files)
	for _, n := range []string{"a", "b", "c", "d"} {
		paths = append(paths, filepath.Join(dir, n+"_test.yaml"))
	}
	suites, err := runner().RunAll(context.Background(), paths, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range suites {
		if !strings.HasSuffix(s.File, filepath.Base(paths[i])) || len(s.Cases) != 9 {
			t.Errorf("suite %d is %s with %d cases", i, s.File, len(s.Cases))
		}
	}
}

func sourceOf(t *testing.T, file string) compiler.Source {
	t.Helper()
	sources, err := policyset.Read(file)
	if err != nil || len(sources) != 1 {
		t.Fatalf("%s: %d sources, %v", file, len(sources), err)
	}
	return sources[0]
}

// runnerWith reads another text for one file.
func runnerWith(name string, text []byte) *analysis.Runner {
	r := runner()
	r.Read = func(path string) ([]compiler.Source, error) {
		sources, err := policyset.Read(path)
		for i := range sources {
			if sources[i].Name == name {
				sources[i].Data = text
			}
		}
		return sources, err
	}
	return r
}
