package diag

import (
	"encoding/xml"
	"fmt"
	"io"
	"slices"
)

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a suite for each file and a case for each finding, failed if it
// is as severe as what fails. A file without a finding has one case that passed.
func writeJUnit(w io.Writer, r *Report) error {
	byFile := map[string][]Diagnostic{}
	files := slices.Clone(r.Files)
	for _, d := range r.Diagnostics {
		byFile[d.fileOf()] = append(byFile[d.fileOf()], d)
		files = append(files, d.fileOf())
	}
	slices.Sort(files)
	all := junitSuites{Name: "openshell-policy"}
	for _, file := range slices.Compact(files) {
		s := junitOf(file, byFile[file], r)
		all.Suites = append(all.Suites, s)
		all.Tests += s.Tests
		all.Failures += s.Failures
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(file string, ds []Diagnostic, r *Report) junitSuite {
	s := junitSuite{Name: file, Time: "0"}
	if len(ds) == 0 {
		s.Cases = []junitCase{{Name: "no findings", Class: file, File: file, Time: "0"}}
	}
	for _, d := range ds {
		c := junitCase{Name: fmt.Sprintf("%s %s", d.Code, where(d.Pos)), Class: file, File: file, Line: d.Pos.Line, Time: "0"}
		text := textOf(&d, r.Sources)
		if d.Severity.AtLeast(r.FailOn) {
			c.Failure = &junitFailure{Type: string(d.Severity), Message: printable(d.Message), Text: text}
			s.Failures++
		} else {
			c.Output = text
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	return s
}
