package query

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/audit"
)

// Printer prints events for people or programs as they come. The formats are
// table, json (one array) and ndjson.
type Printer struct {
	Format string
	Logs   []string       // the table names the log of each record where there are several
	Zone   *time.Location // of the table's times; nil is local
	Paint  func(verdict, text string) string

	w      *bufio.Writer
	widths []int
	names  map[string]string
	count  int
}

// NewPrinter returns a printer in a format.
func NewPrinter(w io.Writer, format string) *Printer {
	return &Printer{Format: format, w: bufio.NewWriterSize(w, 32<<10)}
}

// Count is the number of events printed.
func (p *Printer) Count() int { return p.count }

// Print prints one event.
func (p *Printer) Print(e *Event) error {
	p.count++
	switch p.Format {
	case "table":
		return p.row(e)
	case "json":
		sep := ",\n  "
		if p.count == 1 {
			sep = "[\n  "
		}
		_, _ = p.w.WriteString(sep)
		_, err := p.w.Write(audit.SafeJSON(e.Line))
		return err
	}
	_, _ = p.w.Write(audit.SafeJSON(e.Line))
	return p.w.WriteByte('\n')
}

// Flush writes what was printed so far.
func (p *Printer) Flush() error { return p.w.Flush() }

// Close ends the output.
func (p *Printer) Close() error {
	if p.Format == "json" {
		end := "\n]\n"
		if p.count == 0 {
			end = "[]\n"
		}
		_, _ = p.w.WriteString(end)
	}
	return p.w.Flush()
}

// row prints a row whose columns are as wide as the widest so far.
func (p *Printer) row(e *Event) error {
	r, err := e.Record()
	if err != nil {
		return err
	}
	zone := p.Zone
	if zone == nil {
		zone = time.Local
	}
	f := &e.Fields
	cells := []string{r.Timestamp.In(zone).Format("2006-01-02T15:04:05.000Z07:00"), dash(r.Custom.Sandbox), dash(r.Custom.Policy), dash(f.Verdict()), dash(string(r.Custom.Code)), dash(r.Custom.Rule)}
	if len(p.Logs) > 1 {
		cells = append([]string{p.name(e.Log)}, cells...)
	}
	if p.count == 1 {
		p.header()
	}
	what := audit.Action(r.Input)
	if r.Input == nil {
		what = p.other(e)
	}
	for i, c := range cells {
		cells[i] = p.pad(i, audit.Printable(c))
	}
	line := strings.Join(cells, "  ") + "  " + what
	if p.Paint != nil {
		line = p.Paint(f.Verdict(), line)
	}
	_, err = p.w.WriteString(line + "\n")
	return err
}

// name is a log's path without what all of them begin and end with.
func (p *Printer) name(log string) string {
	if p.names == nil {
		p.names = shortNames(p.Logs)
	}
	return p.names[log]
}

func shortNames(logs []string) map[string]string {
	var parts [][]string
	for _, l := range logs {
		parts = append(parts, strings.Split(filepath.ToSlash(filepath.Clean(l)), "/"))
	}
	first, last := 0, 0
	for same(parts, func(p []string) (string, bool) { return at(p, first), first < len(p)-1 }) {
		first++
	}
	for same(parts, func(p []string) (string, bool) { return at(p, len(p)-1-last), last < len(p)-1-first }) {
		last++
	}
	names := map[string]string{}
	for i, l := range logs {
		names[l] = strings.Join(parts[i][first:len(parts[i])-last], "/")
	}
	return names
}

func at(p []string, i int) string {
	if i < 0 || i >= len(p) {
		return ""
	}
	return p[i]
}

// same tells whether all have a part to spare, and the same one.
func same(parts [][]string, part func([]string) (string, bool)) bool {
	if len(parts) < 2 {
		return false
	}
	want, _ := part(parts[0])
	for _, p := range parts {
		if got, ok := part(p); !ok || got != want {
			return false
		}
	}
	return true
}

// other is what a record without an input says.
func (p *Printer) other(e *Event) string {
	r, err := e.Record()
	if err != nil {
		return ""
	}
	if o := r.Custom.Outcome; o != nil {
		return fmt.Sprintf("OUTCOME of %s: status %d, %d bytes, %d ms %s", audit.Printable(r.DecisionID), o.Status, o.Bytes, o.DurationMS, audit.Printable(o.Error))
	}
	line := audit.Line(r, audit.LineOptions{UTC: true, Plain: true})
	if _, rest, ok := strings.Cut(line, "] "); ok {
		return rest
	}
	return line
}

func (p *Printer) header() {
	names := []string{"TIME", "SANDBOX", "POLICY", "DECISION", "CODE", "RULE"}
	p.widths = []int{29, 9, 15, 8, 18, 13}
	if len(p.Logs) > 1 {
		names = append([]string{"LOG"}, names...)
		p.widths = append([]int{8}, p.widths...)
	}
	for i, n := range names {
		names[i] = p.pad(i, n)
	}
	_, _ = p.w.WriteString(strings.Join(names, "  ") + "  ACTION\n")
}

func (p *Printer) pad(column int, s string) string {
	n := utf8.RuneCountInString(s)
	p.widths[column] = max(p.widths[column], n)
	return s + strings.Repeat(" ", p.widths[column]-n)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// JSON prints stats for programs.
func (s *Stats) JSON(w io.Writer) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := w.Write(audit.SafeJSON(b.Bytes()))
	return err
}
