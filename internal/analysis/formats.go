package analysis

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler/diag"
)

// junitSuites is the root of a JUnit report, as far as CI systems read it.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	ClassName string        `xml:"classname,attr"`
	File      string        `xml:"file,attr"`
	Line      int           `xml:"line,attr"`
	Failure   *junitProblem `xml:"failure"`
	Error     *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit prints a run as a JUnit report: a suite for each file, an error
// where a file could not be run.
func WriteJUnit(w io.Writer, suites []*Suite) error {
	out := junitSuites{Name: "openshell-policy test"}
	for _, s := range suites {
		one := junitSuite{Name: s.File, Tests: len(s.Cases), Failures: s.Failed()}
		for _, c := range s.Cases {
			one.Cases = append(one.Cases, junitOf(c))
		}
		if !s.Ran() {
			one.Tests, one.Errors = one.Tests+1, 1
			one.Cases = append(one.Cases, junitCase{
				Name: "compiles", ClassName: s.File, File: s.File, Line: 1,
				Error: &junitProblem{Message: "the file or its policies have errors", Type: "diagnostics", Text: findings(s.Diagnostics)},
			})
		}
		out.Tests, out.Failures, out.Errors = out.Tests+one.Tests, out.Failures+one.Failures, out.Errors+one.Errors
		out.Suites = append(out.Suites, one)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(c CaseResult) junitCase {
	out := junitCase{Name: audit.Printable(c.Name), ClassName: audit.Printable(c.Policy), File: c.Pos.File, Line: c.Pos.Line}
	if !c.Pass {
		var b strings.Builder
		writeFailure(&b, c)
		out.Failure = &junitProblem{Message: audit.Printable(c.Reason), Type: "decision", Text: b.String()}
	}
	return out
}

func findings(ds []diag.Diagnostic) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s: %s %s: %s\n", place(d.Pos), d.Severity, d.Code, d.Message)
	}
	return b.String()
}

// WriteTAP prints a run in the Test Anything Protocol, version 13.
func WriteTAP(w io.Writer, suites []*Suite) error {
	var b strings.Builder
	n := 0
	for _, s := range suites {
		for _, c := range s.Cases {
			n++
			if c.Pass {
				fmt.Fprintf(&b, "ok %d - %s\n", n, tapName(s.File, c.Name))
				continue
			}
			fmt.Fprintf(&b, "not ok %d - %s\n  ---\n  at: %q\n  message: %q\n", n, tapName(s.File, c.Name), place(c.Pos), c.Reason)
			if c.Got != nil {
				fmt.Fprintf(&b, "  got: %q\n", brief(*c.Got))
			}
			b.WriteString("  ...\n")
		}
		if !s.Ran() {
			n++
			fmt.Fprintf(&b, "not ok %d - %s\n  ---\n  message: %q\n  ...\n", n, tapName(s.File, "compiles"), findings(s.Diagnostics))
		}
	}
	_, err := fmt.Fprintf(w, "TAP version 13\n1..%d\n%s", n, b.String())
	return err
}

// tapName keeps a name from being read as a directive, or as another line.
func tapName(file, name string) string {
	return strings.NewReplacer("\\", `\\`, "#", `\#`).Replace(audit.Printable(file + ": " + name))
}
