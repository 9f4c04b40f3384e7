package analysis_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/analysis"
)

// A name of a case that tries to be something else: a line of its own, a
// directive, an escape of the terminal, markup.
const hostileTest = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  policy: one
  cases:
    - {name: "a\nok 9 - b # SKIP \e[31m </testcase> ]]> \u202e", request: POST https://a.example.com/, expect: allow}
    - {name: "::error::x", request: GET https://a.example.com/, expect: allow}
`

func TestFormatsOfHostileNames(t *testing.T) {
	dir := write(t, map[string]string{"p.yaml": policyText, "t_test.yaml": hostileTest})
	s, err := runner().Run(context.Background(), filepath.Join(dir, "t_test.yaml"))
	if err != nil || len(s.Cases) != 2 {
		t.Fatalf("%v, %+v", err, s)
	}
	suites := []*analysis.Suite{s}
	var text, tap, junit bytes.Buffer
	if err := analysis.WriteText(&text, suites, true, nil); err != nil {
		t.Fatal(err)
	}
	if err := analysis.WriteTAP(&tap, suites); err != nil {
		t.Fatal(err)
	}
	if err := analysis.WriteJUnit(&junit, suites); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"text": text.String(), "TAP": tap.String(), "JUnit": junit.String()} {
		if strings.ContainsAny(out, "\x1b\u202e") {
			t.Errorf("%s: holds an escape:\n%q", name, out)
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "ok 9") || strings.HasPrefix(strings.TrimSpace(line), "::") {
				t.Errorf("%s: a name became a line: %q", name, line)
			}
		}
	}
	if strings.Contains(tap.String(), " # SKIP") {
		t.Errorf("TAP: a name became a directive:\n%s", tap.String())
	}
	cases := 0
	for dec := xml.NewDecoder(&junit); ; {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("JUnit: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "testcase" {
			cases++
		}
	}
	if cases != 2 {
		t.Errorf("JUnit: %d cases", cases)
	}
}

// Every code of the test runner has an example that triggers it, and a near miss.
func TestCodes(t *testing.T) {
	seen := 0
	for _, info := range diag.Codes() {
		if info.Part != diag.PartTest {
			continue
		}
		seen++
		for text, want := range map[string]bool{info.Bad: true, info.Good: false} {
			if got := codes(t, text); got[info.Code] != want || len(got) > 1 {
				t.Errorf("%s: %v of\n%s", info.Code, got, text)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d codes", seen)
	}
}

func codes(t *testing.T, text string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	var suites []*analysis.Suite
	var err error
	if strings.HasPrefix(text, "package") {
		suites, err = analysis.RunRego(context.Background(), map[string]string{"x_test.rego": text}, nil)
	} else {
		x := strings.Replace(policyText, "{name: one}", "{name: x}", 1)
		x, _, _ = strings.Cut(x, "---")
		dir := write(t, map[string]string{"x.yaml": x, "x_test.yaml": text})
		suites, err = runner().RunAll(context.Background(), []string{filepath.Join(dir, "x_test.yaml")}, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range suites {
		for _, d := range s.Diagnostics {
			out[d.Code] = true
		}
	}
	return out
}
