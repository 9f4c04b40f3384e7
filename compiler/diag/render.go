package diag

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// WriteText renders findings for people:
//
//	policy.yaml:12:9: error OSP1004: unknown field "hosts"
//	   12 |       - hosts: github.com
//	      |         ^^^^^
//	hint: did you mean host?
//
// sources holds the text of each file; a file that it lacks gets no excerpt.
func WriteText(w io.Writer, ds []Diagnostic, sources map[string][]byte, color bool) error {
	var b strings.Builder
	for i, d := range ds {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeOne(&b, &d, sources, color)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeOne(b *strings.Builder, d *Diagnostic, sources map[string][]byte, color bool) {
	paint := painter(color)
	fmt.Fprintf(b, "%s: %s %s: %s\n", paint(bold, where(d.Pos)), paint(severityColor[d.Severity], string(d.Severity)), d.Code, printable(d.Message))
	excerpt(b, d.Pos, d.Width, sources[d.Pos.File], paint)
	for _, r := range d.Related {
		fmt.Fprintf(b, "%s: note: %s\n", where(r.Pos), printable(r.Message))
		excerpt(b, r.Pos, 1, sources[r.Pos.File], paint)
	}
	if d.Hint != "" {
		fmt.Fprintf(b, "%s %s\n", paint(green, "hint:"), printable(d.Hint))
	}
}

// textOf is one finding as text without colour.
func textOf(d *Diagnostic, sources map[string][]byte) string {
	var b strings.Builder
	writeOne(&b, d, sources, false)
	return b.String()
}

func where(p Position) string {
	switch {
	case p.File == "":
		return "openshell"
	case p.Line == 0:
		return printable(p.File)
	}
	return fmt.Sprintf("%s:%d:%d", printable(p.File), p.Line, p.Col)
}

// excerpt prints the line with a caret under the column. Tabs count to the next
// multiple of four, wide characters as two cells.
func excerpt(b *strings.Builder, p Position, n int, source []byte, paint func(string, string) string) {
	line, ok := lineOf(source, p.Line)
	if !ok {
		return
	}
	text, indent, mark := layout(line, p.Col, max(n, 1))
	fmt.Fprintf(b, "%5d | %s\n", p.Line, text)
	fmt.Fprintf(b, "      | %s%s\n", strings.Repeat(" ", indent), paint(red, strings.Repeat("^", mark)))
}

func lineOf(source []byte, n int) (string, bool) {
	if n < 1 || len(source) == 0 {
		return "", false
	}
	rest := string(source)
	for ; n > 1; n-- {
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			return "", false
		}
		rest = after
	}
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSuffix(line, "\r"), true
}

// An excerpt shows at most maxLine characters, and lead of them before the
// caret where the line is longer.
const (
	maxLine = 160
	lead    = 60
)

// layout expands a line for the terminal and finds the cells to underline.
func layout(line string, col, n int) (text string, indent, mark int) {
	runes := []rune(line)
	if skip := col - lead; len(runes) > maxLine && skip > 1 {
		skip = min(skip, len(runes))
		runes, col = append([]rune("..."), runes[skip:]...), col-skip+3
	}
	runes = runes[:min(len(runes), maxLine)]
	var b strings.Builder
	cells := 0
	indent = -1
	for i, r := range runes {
		if i+1 == col {
			indent = cells
		}
		shown, wide := cell(r, cells)
		b.WriteString(shown)
		if i+1 >= col && i+1 < col+n {
			mark += wide
		}
		cells += wide
	}
	if indent < 0 {
		indent = cells
	}
	return b.String(), indent, max(mark, 1)
}

func cell(r rune, at int) (shown string, cells int) {
	switch {
	case r == '\t':
		n := 4 - at%4
		return strings.Repeat(" ", n), n
	case r < ' ' || r == 0x7f || r == utf8.RuneError || r >= 0x80 && r < 0xa0:
		return "?", 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return string(r), 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return string(r), 2
	}
	return string(r), 1
}

// printable keeps text from a policy from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
)

var severityColor = map[Severity]string{Error: red, Warning: yellow, Info: blue}

func painter(color bool) func(code, s string) string {
	return func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
}

// WriteJSON renders findings as {"diagnostics": [...]}.
func WriteJSON(w io.Writer, ds []Diagnostic) error {
	if ds == nil {
		ds = []Diagnostic{}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Diagnostics []Diagnostic `json:"diagnostics"`
	}{ds})
}
