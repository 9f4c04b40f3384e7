package analysis

import (
	"fmt"
	"io"
	"strings"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// Totals counts suites and cases.
type Totals struct {
	Files  int `json:"files"`
	Cases  int `json:"cases"`
	Failed int `json:"failed"`
	Broken int `json:"broken"` // files that could not be run
}

// Count adds up suites.
func Count(suites []*Suite) Totals {
	t := Totals{Files: len(suites)}
	for _, s := range suites {
		t.Cases += len(s.Cases)
		t.Failed += s.Failed()
		if !s.Ran() {
			t.Broken++
		}
	}
	return t
}

// Report is the JSON form of a run.
type Report struct {
	Suites   []*Suite  `json:"suites"`
	Totals   Totals    `json:"totals"`
	Coverage *Coverage `json:"coverage,omitempty"`
	Mutation *Mutation `json:"mutation,omitempty"`
}

// WriteText prints a run for people:
//
//	ok    policies/full-dev_test.yaml  43 cases
//	FAIL  policies/github-readonly_test.yaml  1 of 33 cases
//	  policies/github-readonly_test.yaml:21:7: reads a repository
//	    asked  GET https://api.github.com/repos/org/app of github-readonly
//	    got    deny: deny, not allow
//	           method_not_allowed by outbound[0], policies/github-readonly.yaml:10
//	           POST is not in [GET] of outbound[0]
//
// With verbose every case has a line. paint colours a word, and may be nil.
func WriteText(w io.Writer, suites []*Suite, verbose bool, paint func(good bool, word string) string) error {
	if paint == nil {
		paint = func(_ bool, word string) string { return word }
	}
	var b strings.Builder
	for _, s := range suites {
		writeSuite(&b, s, verbose, paint)
	}
	t := Count(suites)
	good := t.Failed == 0 && t.Broken == 0
	word := "ok"
	if !good {
		word = "FAIL"
	}
	fmt.Fprintf(&b, "%s  %s, %s, %d failed", paint(good, fmt.Sprintf("%-4s", word)), plural(t.Files, "file"), plural(t.Cases, "case"), t.Failed)
	if t.Broken > 0 {
		fmt.Fprintf(&b, ", %s could not be run", plural(t.Broken, "file"))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func writeSuite(b *strings.Builder, s *Suite, verbose bool, paint func(bool, string) string) {
	failed := s.Failed()
	switch {
	case !s.Ran():
		fmt.Fprintf(b, "%s  %s  not run: it or its policies have errors\n", paint(false, "FAIL"), s.File)
	case failed > 0:
		fmt.Fprintf(b, "%s  %s  %d of %s\n", paint(false, "FAIL"), s.File, failed, plural(len(s.Cases), "case"))
	default:
		fmt.Fprintf(b, "%s  %s  %s\n", paint(true, "ok  "), s.File, plural(len(s.Cases), "case"))
	}
	for _, c := range s.Cases {
		switch {
		case !c.Pass:
			writeFailure(b, c)
		case verbose:
			fmt.Fprintf(b, "  %s  %s  %s\n", paint(true, "ok"), audit.Printable(c.Name), c.outcome())
		}
	}
}

func writeFailure(b *strings.Builder, c CaseResult) {
	fmt.Fprintf(b, "  %s: %s\n", place(c.Pos), audit.Printable(c.Name))
	asked := audit.Printable(c.Ask)
	if c.Policy != "" {
		asked += ", of policy " + audit.Printable(c.Policy)
	}
	fmt.Fprintf(b, "    asked  %s\n", asked)
	fmt.Fprintf(b, "    wrong  %s\n", audit.Printable(c.Reason))
	if c.Got == nil {
		return
	}
	fmt.Fprintf(b, "    got    %s\n", brief(*c.Got))
	if c.Got.Message != "" {
		fmt.Fprintf(b, "           %s\n", audit.Printable(c.Got.Message))
	}
}

// outcome says what a case that passed was decided by; a Rego test is only true.
func (c *CaseResult) outcome() string {
	if c.Got == nil {
		return c.Want.Expect
	}
	return brief(*c.Got)
}

func place(p diag.Position) string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// brief says what was decided and by what.
func brief(d schemas.Decision) string {
	s := verdict(d)
	if !d.Allow {
		s += " " + string(d.Code)
	}
	s += " by " + d.Rule
	if d.Source != nil {
		s += fmt.Sprintf(" (%s:%d)", d.Source.File, d.Source.Line)
	}
	if d.Mode == schemas.ModeAudit {
		s += ", mode audit"
	}
	return s
}
