package parse

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
)

// syntaxError puts a YAML error where it shows, with a note where the thing
// began that is broken, in words that say what to do.
func syntaxError(name string, data []byte, err error) diag.Diagnostic {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return diag.New("OSP1002", start(name), strings.TrimPrefix(err.Error(), "yaml: "), "check the file's indentation, quotes and brackets")
	}
	lines := bytes.Split(data, []byte("\n"))
	pos, inside := place(name, lines, load.Mark)
	began, known := place(name, lines, load.ContextMark)
	switch {
	case strings.Contains(load.Message, "depth"):
		return diag.New("OSP1005", pos, "the document is nested too deeply", "flatten it: no policy needs more than a few levels")
	case strings.Contains(load.Message, "anchor"):
		return diag.New("OSP1003", pos, load.Message, `quote text that begins with *, as in "*.example.com"`)
	case known && (!inside || strings.Contains(load.Message, "end of stream")):
		return diag.New("OSP1002", began, load.ContextMsg+": "+load.Message, "close the quote or bracket that is opened here")
	}
	hint := syntaxHint(load.Message)
	if !inside {
		hint = "close the quotes and brackets that are still open"
	}
	d := diag.New("OSP1002", pos, load.Message, hint)
	if known && began != pos {
		d.Related = []diag.Related{{Pos: began, Message: load.ContextMsg + " that begins here"}}
	}
	return d
}

// place keeps a position inside the file: YAML reports the end of the text as a
// line of its own.
func place(name string, lines [][]byte, m yaml.Mark) (p diag.Position, inside bool) {
	if m.Line < 1 {
		return start(name), false
	}
	last := len(lines)
	for last > 1 && len(bytes.TrimSpace(lines[last-1])) == 0 {
		last--
	}
	if m.Line > last {
		return diag.Position{File: name, Line: last, Col: 1}, false
	}
	width := utf8.RuneCount(lines[m.Line-1]) + 1
	return diag.Position{File: name, Line: m.Line, Col: min(max(m.Column, 1), width)}, true
}

// syntaxHints pairs what YAML complains of with what to type instead.
var syntaxHints = []struct{ message, hint string }{
	{"mapping values are not allowed", "quote the text if it holds `: `, or begin a new line"},
	{"cannot start any token", "indent with spaces, not tabs; quote text that begins with @, ` or %"},
	{"alphabetic or numeric", `quote text that begins with * or &, as in "*.example.com"`},
	{"incompatible YAML", "remove the %YAML line"},
	{"tab", "indent with spaces, not tabs"},
	{"expected key", "line the field up with its neighbours"},
	{"expected '-'", "line the entry up with its neighbours, and begin it with `- `"},
	{"expected ','", "put a comma between entries, quote text that holds brackets or `: `, and close the bracket"},
	{"could not find expected ':'", "write `field: value`"},
	{"escape", `in double quotes write \\ for a backslash, or use single quotes`},
	{"document start", "begin another document with a line `---`"},
}

func syntaxHint(message string) string {
	for _, h := range syntaxHints {
		if strings.Contains(message, h.message) {
			return h.hint
		}
	}
	return "check the line's indentation, quotes and brackets"
}
