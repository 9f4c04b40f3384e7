package parse

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// source is the text of a file with where its lines begin.
type source struct {
	data  []byte
	lines []int
}

func newSource(data []byte) *source {
	s := &source{data: data, lines: []int{0}}
	for i, b := range data {
		if b == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// offset is the byte at which a position stands; -1 if it is outside the file.
func (s *source) offset(line, col int) int {
	if line < 1 || line > len(s.lines) {
		return -1
	}
	at := s.lines[line-1]
	if line == 1 && bytes.HasPrefix(s.data, []byte("\ufeff")) {
		at += len("\ufeff")
	}
	for ; col > 1; col-- {
		if at >= len(s.data) || s.data[at] == '\n' {
			return -1
		}
		_, n := utf8.DecodeRune(s.data[at:])
		at += n
	}
	return at
}

// lineEnd is the offset after the line's newline.
func (s *source) lineEnd(at int) int {
	if i := bytes.IndexByte(s.data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(s.data)
}

// Span returns the bytes of the file that a scalar takes up as it is written, with
// its quotes. It is not ok for a scalar of several lines, and for what is no
// scalar or does not exist.
func (d *Document) Span(path ...any) (start, end int, ok bool) {
	n, exists := d.node(path)
	if !exists {
		return 0, 0, false
	}
	return d.scalar(n)
}

// KeySpan is Span for the key of a mapping's value.
func (d *Document) KeySpan(path ...any) (start, end int, ok bool) {
	if _, exists := d.node(path); !exists {
		return 0, 0, false
	}
	key, _ := find(d.root, path)
	if key == nil {
		return 0, 0, false
	}
	return d.scalar(key)
}

func (d *Document) node(path []any) (*yaml.Node, bool) {
	n := d.root
	for _, step := range path {
		_, v := child(n, step)
		if v == nil {
			return nil, false
		}
		n = v
	}
	return n, true
}

func (d *Document) scalar(n *yaml.Node) (start, end int, ok bool) {
	if n.Kind != yaml.ScalarNode {
		return 0, 0, false
	}
	start = d.src.offset(n.Line, n.Column)
	if start < 0 {
		return 0, 0, false
	}
	rest := d.src.data[start:d.src.lineEnd(start)]
	length := -1
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		length = quotedLength(rest, '\'')
	case n.Style&yaml.DoubleQuotedStyle != 0:
		length = quotedLength(rest, '"')
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && bytes.HasPrefix(rest, []byte(n.Value)):
		length = len(n.Value)
	}
	return start, start + length, length >= 0
}

// ScalarEnd returns the end of the scalar of one line, a key or a value, that
// begins at a byte of the file; not ok if none of the document does.
func (d *Document) ScalarEnd(start int) (end int, ok bool) {
	var visit func(n *yaml.Node) bool
	visit = func(n *yaml.Node) bool {
		if n.Kind == yaml.ScalarNode && d.src.offset(n.Line, n.Column) == start {
			_, end, ok = d.scalar(n)
			return true
		}
		return slices.ContainsFunc(n.Content, visit)
	}
	visit(d.root)
	return end, ok
}

// quotedLength measures a quoted scalar at the beginning of a line; -1 if it does
// not end there.
func quotedLength(rest []byte, quote byte) int {
	if len(rest) == 0 || rest[0] != quote {
		return -1
	}
	for i := 1; i < len(rest); i++ {
		switch {
		case quote == '"' && rest[i] == '\\':
			i++
		case rest[i] == quote && quote == '\'' && i+1 < len(rest) && rest[i+1] == quote:
			i++
		case rest[i] == quote:
			return i + 1
		}
	}
	return -1
}

// EntrySpan returns the bytes to cut so that an entry of a list, or a field with
// its key, is gone. It is not ok for the only entry, for one that holds a comment,
// which would be lost, and where the layout does not let it be known.
func (d *Document) EntrySpan(path ...any) (start, end int, ok bool) {
	if len(path) == 0 {
		return 0, 0, false
	}
	if _, exists := d.node(path); !exists {
		return 0, 0, false
	}
	parent, _ := d.node(path[:len(path)-1])
	entries := entriesOf(parent)
	if len(entries) < 2 {
		return 0, 0, false
	}
	i := indexOf(parent, path[len(path)-1])
	if parent.Style&yaml.FlowStyle != 0 {
		return d.flowEntry(entries, i)
	}
	return d.blockEntry(parent, entries, i)
}

// An entry is the part of a collection that is cut whole: where it begins, and its
// last node.
type entry struct{ first, last *yaml.Node }

func entriesOf(n *yaml.Node) []entry {
	var out []entry
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	for i := 0; i+step-1 < len(n.Content); i += step {
		out = append(out, entry{n.Content[i], n.Content[i+step-1]})
	}
	return out
}

func indexOf(n *yaml.Node, step any) int {
	if i, ok := step.(int); ok {
		return i
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return i / 2
		}
	}
	return -1
}

// flowEntry cuts from an entry to its follower, or from the end of its forerunner.
func (d *Document) flowEntry(entries []entry, i int) (start, end int, ok bool) {
	from := func(e entry) int { return d.src.offset(e.first.Line, e.first.Column) }
	if i+1 < len(entries) {
		start, end = from(entries[i]), from(entries[i+1])
	} else {
		var okEnd bool
		_, start, ok = d.nodeSpan(entries[i-1].last)
		_, end, okEnd = d.nodeSpan(entries[i].last)
		if !ok || !okEnd {
			return 0, 0, false
		}
	}
	return start, end, start >= 0 && end > start && !holdsComment(d.src.data[start:end])
}

// nodeSpan is the extent of a scalar, or of a flow collection.
func (d *Document) nodeSpan(n *yaml.Node) (start, end int, ok bool) {
	if n.Kind == yaml.ScalarNode {
		return d.scalar(n)
	}
	start = d.src.offset(n.Line, n.Column)
	if n.Style&yaml.FlowStyle == 0 || start < 0 {
		return 0, 0, false
	}
	end = start + 1
	if len(n.Content) > 0 {
		if _, end, ok = d.nodeSpan(n.Content[len(n.Content)-1]); !ok {
			return 0, 0, false
		}
	}
	for end < len(d.src.data) && strings.IndexByte(" \t\r\n,", d.src.data[end]) >= 0 {
		end++
	}
	if end >= len(d.src.data) || strings.IndexByte("]}", d.src.data[end]) < 0 {
		return 0, 0, false
	}
	return start, end + 1, true
}

// blockEntry cuts whole lines: from the one on which the entry begins, up to the
// one on which its follower does, or up to where the indentation ends.
func (d *Document) blockEntry(parent *yaml.Node, entries []entry, i int) (start, end int, ok bool) {
	first := entries[i].first
	start = d.src.offset(first.Line, 1)
	head := d.src.data[start:max(d.src.offset(first.Line, first.Column), start)]
	if start < 0 || strings.Trim(string(head), " -") != "" || parent.Kind == yaml.MappingNode && strings.Contains(string(head), "-") {
		return 0, 0, false
	}
	if strings.Count(string(head), "-") > 1 {
		return 0, 0, false // a list in a list
	}
	end = d.src.lineEnd(start)
	indent := len(head)
	if parent.Kind == yaml.SequenceNode {
		indent = bytes.IndexByte(head, '-')
	}
	for end < len(d.src.data) {
		next := d.src.lineEnd(end)
		line := strings.TrimRight(string(d.src.data[end:next]), " \t\r\n")
		if line == "" || len(line)-len(strings.TrimLeft(line, " ")) <= indent {
			break
		}
		end = next
	}
	if i+1 < len(entries) && d.src.offset(entries[i+1].first.Line, 1) < end {
		return 0, 0, false
	}
	return start, end, !holdsComment(d.src.data[start:end])
}

// holdsComment tells whether a "#" of the text may begin a comment.
func holdsComment(text []byte) bool { return bytes.IndexByte(text, '#') >= 0 }

// Offset is the byte of the file at which a position of this document stands, -1
// if it is outside.
func (d *Document) Offset(line, col int) int { return d.src.offset(line, col) }

// Data is the text of the whole file.
func (d *Document) Data() []byte { return d.src.data }
