package format

import (
	"bytes"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/schemas"
)

// maxWidth is how long a line with a list or mapping on it may be, in characters.
const maxWidth = 120

type printer struct {
	strings.Builder
	kind string
}

func document(doc *parse.Document, s section) (string, error) {
	data := doc.Data()
	b := &builder{doc: doc, data: data}
	root, err := b.value(doc.Root(), nil, nil)
	if err != nil {
		return "", err
	}
	if err := b.attach(root, b.notes(s)); err != nil {
		return "", err
	}
	p := &printer{kind: doc.Kind}
	first := root.entries[0]
	head := first.head
	first.head = nil
	if s.note != "" {
		p.WriteString(s.note + "\n")
	}
	p.notes(trimmed(head, s.note == ""), 0)
	p.mapping(root, 0)
	return p.String(), nil
}

// notes lists the comments of a section, and the blank lines around entries.
func (b *builder) notes(s section) []note {
	var covered []parse.Span
	walk(b.doc.Root(), func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			covered = append(covered, b.doc.Extent(n)...)
		}
	})
	byLine := map[int]note{}
	for _, c := range parse.Comments([]*parse.Document{b.doc}, b.data) {
		if s.holds(c.Line) {
			byLine[c.Line] = note{c.Line, c.Col, c.Offset, c.Text, c.Own}
		}
	}
	var out []note
	number, next := 0, 0
	for at := 0; at < len(b.data); {
		end := lineEnd(b.data, at)
		number++
		for next < len(covered) && covered[next].End <= at {
			next++
		}
		inside := next < len(covered) && covered[next].Start < at
		c, commented := byLine[number]
		switch {
		case !s.holds(number):
		case commented:
			out = append(out, c)
		case !inside && strings.TrimSpace(string(b.data[at:end])) == "":
			out = append(out, note{line: number, col: 1, offset: at, own: true})
		}
		at = end
	}
	return out
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}

func lineEnd(data []byte, at int) int {
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(data)
}

// trimmed collapses blank lines, and drops those at the beginning.
func trimmed(notes []string, start bool) []string {
	var out []string
	for _, n := range notes {
		if n == "" && (len(out) == 0 && start || len(out) > 0 && out[len(out)-1] == "") {
			continue
		}
		out = append(out, n)
	}
	return out
}

func (p *printer) notes(notes []string, indent int) {
	for _, n := range notes {
		if n == "" {
			p.WriteByte('\n')
			continue
		}
		p.WriteString(strings.Repeat(" ", indent) + n + "\n")
	}
}

func (p *printer) foot(v *value, indent int) {
	notes := trimmed(v.foot, false)
	for len(notes) > 0 && notes[len(notes)-1] == "" {
		notes = notes[:len(notes)-1]
	}
	p.notes(notes, indent)
}

// mapping prints the fields of a mapping, each on lines of its own.
func (p *printer) mapping(v *value, indent int) {
	for i, e := range sorted(v, p.kind) {
		p.notes(trimmed(e.head, i == 0), indent)
		p.WriteString(strings.Repeat(" ", indent))
		p.field(e, indent)
	}
	p.foot(v, indent)
}

func (p *printer) field(e *entry, indent int) {
	p.WriteString(p.key(e) + ":")
	p.after(e, indent, indent+2+len(p.key(e)))
}

func (p *printer) key(e *entry) string {
	if plain(e.key.Value) {
		return e.key.Value
	}
	return quote(e.key.Value)
}

// after prints what follows a key or a dash, from its blank on.
func (p *printer) after(e *entry, indent, column int) {
	v := e.value
	note := ""
	if e.note != "" {
		note = " " + e.note
	}
	switch {
	case v.raw != "":
		p.WriteString(" " + v.raw + note + "\n")
		p.block(v.lines, indent+2)
	case v.node.Kind == yaml.ScalarNode:
		if text := scalarText(v, p.kind == schemas.KindPolicyTest, false); text != "" {
			p.WriteString(" " + text)
		}
		p.WriteString(note + "\n")
	case p.fits(v, column):
		p.WriteString(" " + p.flow(v) + note + "\n")
	case v.node.Kind == yaml.MappingNode:
		p.WriteString(note + "\n")
		p.mapping(v, indent+2)
	default:
		p.WriteString(note + "\n")
		p.sequence(v, indent+2)
	}
}

// fits tells whether a list or mapping stays on one line.
func (p *printer) fits(v *value, column int) bool {
	if len(v.entries) == 0 {
		return true
	}
	return flow(v.node) && !commented(v) && !blocks(v) && column+utf8.RuneCountInString(p.flow(v)) <= maxWidth
}

// blocks tells whether a value holds a text of several lines, which has no place
// on one.
func blocks(v *value) bool {
	for _, e := range v.entries {
		if e.value.raw != "" || blocks(e.value) {
			return true
		}
	}
	return false
}

func (p *printer) flow(v *value) string {
	if v.node.Kind == yaml.ScalarNode {
		return scalarText(v, p.kind == schemas.KindPolicyTest, true)
	}
	var parts []string
	if len(v.entries) > 0 {
		for _, e := range sorted(v, p.kind) {
			text := p.flow(e.value)
			if e.key != nil {
				text = strings.TrimRight(p.key(e)+": "+text, " ")
			}
			parts = append(parts, text)
		}
	}
	if v.node.Kind == yaml.MappingNode {
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// sequence prints the entries of a list, each behind a dash.
func (p *printer) sequence(v *value, indent int) {
	pad := strings.Repeat(" ", indent)
	for i, e := range v.entries {
		inner := e.value
		mapping := inner.node.Kind == yaml.MappingNode && !p.fits(inner, indent+2)
		head := e.head
		var fields []*entry
		if mapping {
			fields = sorted(inner, p.kind)
			head = append(append([]string(nil), head...), fields[0].head...)
		}
		p.notes(trimmed(head, i == 0), indent)
		p.WriteString(pad + "-")
		if !mapping {
			p.after(e, indent, indent+2)
			continue
		}
		p.WriteByte(' ')
		p.field(fields[0], indent+2)
		for _, f := range fields[1:] {
			p.notes(trimmed(f.head, false), indent+2)
			p.WriteString(pad + "  ")
			p.field(f, indent+2)
		}
		p.foot(inner, indent+2)
	}
	p.foot(v, indent)
}

// block prints the lines of a | or > scalar with another indentation.
func (p *printer) block(lines []string, indent int) {
	least := -1
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			continue
		}
		if n := len(l) - len(strings.TrimLeft(l, " ")); least < 0 || n < least {
			least = n
		}
	}
	for _, l := range lines {
		if strings.TrimSpace(l) == "" {
			p.WriteByte('\n')
			continue
		}
		p.WriteString(strings.Repeat(" ", indent) + l[least:] + "\n")
	}
}
