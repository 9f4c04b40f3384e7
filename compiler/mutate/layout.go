package mutate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// valueOffset is the byte at which a value begins.
func (w *writer) valueOffset(path []any) int {
	p := w.doc.Pos(path...)
	return w.doc.Offset(p.Line, p.Col)
}

// flowEnd is the offset after the bracket that closes the one at start.
func (w *writer) flowEnd(start int) int {
	data, depth := w.doc.Data(), 0
	for i := start; i < len(data); i++ {
		switch c := data[i]; c {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			for i++; i < len(data) && data[i] != c; i++ {
				if c == '"' && data[i] == '\\' {
					i++
				}
			}
		case '#':
			if data[i-1] == ' ' || data[i-1] == '\n' {
				i += max(bytes.IndexByte(data[i:], '\n'), 0)
			}
		}
	}
	return -1
}

// lines is the extent of a block entry: from the line on which it begins to the
// last of the lines that stand deeper.
func (w *writer) lines(path []any) (start, end int, ok bool) {
	p := w.doc.KeyPos(path...)
	data := w.doc.Data()
	start = w.doc.Offset(p.Line, 1)
	at := w.doc.Offset(p.Line, p.Col)
	if start < 0 || at < start {
		return 0, 0, false
	}
	head := string(data[start:at])
	if strings.Trim(head, " -") != "" {
		return 0, 0, false
	}
	indent := len(head)
	if _, item := path[len(path)-1].(int); item {
		if indent = strings.LastIndexByte(head, '-'); indent < 0 || strings.Count(head, "-") > 1 {
			return 0, 0, false
		}
	} else if strings.Contains(head, "-") {
		return 0, 0, false
	}
	return start, deeper(data, lineEnd(data, at), indent), true
}

// deeper is the offset after the last line that stands deeper than indent, from
// a line's start on. Blank lines count only between such lines.
func deeper(data []byte, from, indent int) int {
	end := from
	for at := from; at < len(data); {
		next := lineEnd(data, at)
		line := strings.TrimRight(string(data[at:next]), " \t\r\n")
		switch {
		case line == "":
		case len(line)-len(strings.TrimLeft(line, " ")) > indent:
			end = next
		default:
			return end
		}
		at = next
	}
	return end
}

func lineEnd(data []byte, at int) int {
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(data)
}

// insertItems adds items at the end of a list that has n.
func (w *writer) insertItems(path []any, n int, values []any) bool {
	data := w.doc.Data()
	start := w.valueOffset(path)
	if start < 0 {
		return false
	}
	items := make([]string, len(values))
	for i, v := range values {
		items[i] = flow(v)
	}
	if data[start] == '[' {
		end := w.flowEnd(start)
		if end < 0 {
			return false
		}
		at := len(bytes.TrimRight(data[:end-1], " \t\r\n,"))
		text := strings.Join(items, ", ")
		if n > 0 {
			text = ", " + text
		}
		return w.replace(at, at, text)
	}
	if n == 0 {
		return false
	}
	from, end, ok := w.lines(append(slices.Clone(path), n-1))
	if !ok {
		return false
	}
	indent := strings.Repeat(" ", bytes.IndexByte(data[from:], '-'))
	return w.replace(end, end, indent+"- "+strings.Join(items, "\n"+indent+"- ")+"\n")
}

// insertField adds a field to a mapping, behind its first one.
func (w *writer) insertField(path []any, key string, value any) bool {
	data := w.doc.Data()
	start := w.valueOffset(path)
	field := key + ": " + flow(value)
	switch {
	case start < 0:
		return false
	case data[start] == '{':
		if len(bytes.TrimLeft(data[start+1:], " \n")) > 0 && bytes.TrimLeft(data[start+1:], " \n")[0] == '}' {
			return w.replace(start+1, start+1, field)
		}
		return w.replace(start+1, start+1, field+", ")
	case data[start] == '[':
		return false
	}
	p := w.doc.Pos(path...)
	line := w.doc.Offset(p.Line, 1)
	text := strings.Repeat(" ", p.Col-1) + field + "\n"
	if strings.TrimSpace(string(data[line:start])) == "" {
		return w.replace(line, line, text)
	}
	end := deeper(data, lineEnd(data, start), p.Col-1)
	return w.replace(end, end, text)
}

var plain = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]*$`)

// scalar writes a value of JSON as YAML.
func scalar(v any, quoted bool) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		quoted = true
	}
	if plain.MatchString(s) && !quoted {
		return s
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // strings always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// flow writes a value of JSON in YAML's flow style, a rule as its author would.
func flow(v any) string {
	var parts []string
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		for _, key := range fieldOrder(v) {
			parts = append(parts, key+": "+flow(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return scalar(v, false)
}

func fieldOrder(m map[string]any) []string {
	first := []string{"name", "host", "scheme", "ports", "methods", "paths", "query", "match", "absent"}
	keys := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(first, a) - rank(first, b) })
	return keys
}

func rank(order []string, s string) int {
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}
