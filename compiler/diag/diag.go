// Package diag is how the compiler says that a policy is wrong: data with a
// position, a stable code and a hint, rendered last.
package diag

import (
	"cmp"
	"slices"
)

// Severity tells how bad a finding is.
type Severity string

// The severities. An error keeps a policy from being compiled.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Position is a place in a source file. Line and Col count from 1; Col counts
// characters. Line 0 means the file as a whole.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Col  int    `json:"column"`
}

// Diagnostic is one finding.
type Diagnostic struct {
	Code     string    `json:"code"` // OSP1001
	Severity Severity  `json:"severity"`
	Pos      Position  `json:"position"`
	Width    int       `json:"width,omitempty"` // characters underlined; 0 is one
	Message  string    `json:"message"`
	Hint     string    `json:"hint,omitempty"` // what to type next
	Related  []Related `json:"related,omitempty"`
	Fixes    []Fix     `json:"fixes,omitempty"`
}

// Related is another place that a finding is about.
type Related struct {
	Pos     Position `json:"position"`
	Message string   `json:"message"`
}

// New returns an error at a position with the code's severity.
func New(code string, pos Position, message, hint string) Diagnostic {
	d := Diagnostic{Code: code, Severity: Error, Pos: pos, Message: message, Hint: hint}
	if info, ok := Lookup(code); ok {
		d.Severity = info.Severity
	}
	return d
}

// Sort orders findings by position, then code, then message.
func Sort(ds []Diagnostic) {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Code, b.Code),
			cmp.Compare(a.Message, b.Message),
		)
	})
}

// HasErrors tells whether any finding is an error.
func HasErrors(ds []Diagnostic) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}
