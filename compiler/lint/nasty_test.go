package lint_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
)

var update = flag.Bool("update", false, "write the wants of testdata/nasty again")

var want = regexp.MustCompile(`[ ]*# want( OSP\d{4})+$`)

// What newcomers write, with "# want CODE" behind each line that has an error or a
// warning: no more and no less.
func TestNasty(t *testing.T) {
	names, err := filepath.Glob("testdata/nasty/*.yaml")
	if err != nil || len(names) < 20 {
		t.Fatalf("saw %d files, %v", len(names), err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			var wanted []string
			for i, line := range lines {
				if at := want.FindStringIndex(line); at != nil {
					for _, code := range strings.Fields(line[at[0]:])[2:] {
						wanted = append(wanted, fmt.Sprintf("%d %s", i+1, code))
					}
					lines[i] = line[:at[0]]
				}
			}
			ds := lint.Run([]lint.Source{{Name: "p.yaml", Data: []byte(strings.Join(lines, "\n"))}}, lint.Options{Library: library(), NoTests: true}).Diagnostics
			if *update {
				annotate(t, name, lines, ds)
				return
			}
			if len(wanted) == 0 {
				t.Error("the file wants nothing")
			}
			slices.SortFunc(wanted, byLine)
			if diff := gocmp.Diff(wanted, serious(ds)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// serious lists the lines and codes of errors and warnings, each once.
func serious(ds []diag.Diagnostic) []string {
	var out []string
	for _, d := range ds {
		if d.Severity.AtLeast(diag.Warning) {
			out = append(out, fmt.Sprintf("%d %s", d.Pos.Line, d.Code))
		}
	}
	slices.SortFunc(out, byLine)
	return slices.Compact(out)
}

func byLine(a, b string) int {
	var x, y int
	var c, d string
	_, _ = fmt.Sscan(a, &x, &c)
	_, _ = fmt.Sscan(b, &y, &d)
	return cmp.Or(cmp.Compare(x, y), strings.Compare(c, d))
}

func annotate(t *testing.T, name string, lines []string, ds []diag.Diagnostic) {
	t.Helper()
	for _, s := range serious(ds) {
		var line int
		var code string
		if _, err := fmt.Sscan(s, &line, &code); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(lines[line-1], " # want") {
			lines[line-1] += " # want"
		}
		lines[line-1] += " " + code
	}
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}
