package diag

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report is what the outputs are made from.
type Report struct {
	Diagnostics []Diagnostic      // sorted
	Sources     map[string][]byte // texts by file, for excerpts and fingerprints
	Files       []string          // what was looked at, for outputs that list what is clean
	FailOn      Severity          // the least severity that fails; "" is Error
	Color       bool              // text only
	Version     string            // of the tool
}

// The formats of Write.
const (
	FormatText     = "text"
	FormatJSON     = "json"
	FormatSARIF    = "sarif"
	FormatJUnit    = "junit"
	FormatGitHub   = "github"
	FormatMarkdown = "markdown"
)

// Formats lists the formats of Write; the first is the default.
func Formats() []string {
	return []string{FormatText, FormatJSON, FormatSARIF, FormatJUnit, FormatGitHub, FormatMarkdown}
}

// Write writes a report in one of Formats.
func Write(w io.Writer, format string, r *Report) error {
	switch format {
	case FormatText:
		return WriteText(w, r.Diagnostics, r.Sources, r.Color)
	case FormatJSON:
		return WriteJSON(w, r.Diagnostics)
	case FormatSARIF:
		return writeSARIF(w, r)
	case FormatJUnit:
		return writeJUnit(w, r)
	case FormatGitHub:
		return writeGitHub(w, r)
	case FormatMarkdown:
		return writeMarkdown(w, r)
	}
	return fmt.Errorf("unknown format %q", format)
}

// AtLeast tells whether a severity is as bad as another one, or worse.
func (s Severity) AtLeast(least Severity) bool {
	order := []Severity{Info, Warning, Error}
	if least == "" {
		least = Error
	}
	return slices.Index(order, s) >= slices.Index(order, least)
}

// Fails tells whether a finding is at least as severe as what fails.
func Fails(ds []Diagnostic, least Severity) bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity.AtLeast(least) })
}

// Summary counts findings in words: "2 errors, 1 warning".
func Summary(ds []Diagnostic) string {
	counts := map[Severity]int{}
	for _, d := range ds {
		counts[d.Severity]++
	}
	var parts []string
	for _, s := range []struct {
		severity  Severity
		one, many string
	}{{Error, "error", "errors"}, {Warning, "warning", "warnings"}, {Info, "note", "notes"}} {
		switch n := counts[s.severity]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+s.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, s.many))
		}
	}
	if len(parts) == 0 {
		return "no findings"
	}
	return strings.Join(parts, ", ")
}

// full is the message with its hint.
func (d *Diagnostic) full() string {
	if d.Hint == "" {
		return printable(d.Message)
	}
	return printable(d.Message) + "\nhint: " + printable(d.Hint)
}

// fileOf names the file of a finding in formats that must have one.
func (d *Diagnostic) fileOf() string {
	if d.Pos.File == "" {
		return "openshell"
	}
	return d.Pos.File
}
