package format

import (
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/parse"
)

// value is a node with the comments that belong to it.
type value struct {
	node    *yaml.Node
	owner   *entry   // whose value it is; nil at the top
	path    []string // fields above, "" for an entry of a list
	entries []*entry
	foot    []string // comments after the last entry
	start   int      // bytes
	end     int
	line    int // on which it begins
	endLine int
	col     int    // of its entries
	raw     string // a | or > scalar's header, with lines as its body
	lines   []string
}

// entry is an entry of a list, or a field with its value.
type entry struct {
	in    *value
	key   *yaml.Node // nil in a list
	value *value
	head  []string // comments and blank lines above
	note  string   // the comment behind its first line
	start int      // bytes: of the key, or of the dash
	line  int
	col   int
}

type builder struct {
	doc     *parse.Document
	data    []byte
	entries []*entry // in the order of the text
	tokens  []token
}

// token is a place of a line to which a comment behind it may belong.
type token struct {
	offset, line int
	entry        *entry
}

func (b *builder) value(n *yaml.Node, path []string, owner *entry) (*value, error) {
	v := &value{node: n, owner: owner, path: path, start: max(b.doc.Offset(n.Line, n.Column), 0), line: n.Line, col: n.Column}
	if n.Kind == yaml.ScalarNode {
		return v, b.scalar(v, owner)
	}
	if owner != nil {
		b.tokens = append(b.tokens, token{v.start, v.line, owner})
	}
	step := 1
	if n.Kind == yaml.MappingNode {
		step = 2
	}
	v.end = v.start + 1
	for i := 0; i+step-1 < len(n.Content); i += step {
		e, err := b.entry(v, n.Content[i], n.Content[i+step-1])
		if err != nil {
			return nil, err
		}
		v.entries = append(v.entries, e)
		v.end = max(v.end, e.value.end)
	}
	if flow(n) {
		if err := b.close(v, owner); err != nil {
			return nil, err
		}
	}
	v.endLine = b.lineAt(v.end)
	return v, nil
}

func flow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func (b *builder) scalar(v *value, owner *entry) error {
	pieces := b.doc.Extent(v.node)
	v.end = pieces[len(pieces)-1].End
	v.endLine = b.lineAt(v.end)
	if v.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		v.raw, v.lines, _ = parse.BlockScalar(b.data, v.start)
		if strings.ContainsAny(v.raw, "123456789") {
			return b.refuse(v.line, "a block of text gives its own indentation")
		}
	}
	if owner != nil {
		b.tokens = append(b.tokens, token{v.start, v.line, owner}, token{v.end, v.endLine, owner})
	}
	return nil
}

func (b *builder) entry(in *value, first, last *yaml.Node) (*entry, error) {
	e := &entry{in: in, start: max(b.doc.Offset(first.Line, first.Column), 0), line: first.Line, col: first.Column}
	path := append(append([]string(nil), in.path...), "")
	if first != last || in.node.Kind == yaml.MappingNode {
		e.key = first
		path[len(path)-1] = first.Value
	} else if !flow(in.node) {
		if err := b.dash(e, in); err != nil {
			return nil, err
		}
	}
	b.entries = append(b.entries, e)
	b.tokens = append(b.tokens, token{e.start, e.line, e})
	var err error
	e.value, err = b.value(last, path, e)
	return e, err
}

// dash finds the "-" of an entry of a list, on its line or above.
func (b *builder) dash(e *entry, in *value) error {
	for line := e.line; line >= in.line; line-- {
		at := b.doc.Offset(line, in.col)
		if at >= 0 && at <= e.start && at < len(b.data) && b.data[at] == '-' && (at+1 == len(b.data) || strings.IndexByte(" \t\r\n", b.data[at+1]) >= 0) {
			e.start, e.line, e.col = at, line, in.col
			return nil
		}
	}
	return b.refuse(e.line, "the beginning of a list's entry cannot be found")
}

// close finds the bracket that ends a list or mapping on one line or several.
func (b *builder) close(v *value, owner *entry) error {
	want := byte(']')
	if v.node.Kind == yaml.MappingNode {
		want = '}'
	}
	for at := v.end; at < len(b.data); at++ {
		switch c := b.data[at]; {
		case c == '#' && strings.IndexByte(" \t\n", b.data[at-1]) >= 0:
			at = lineEnd(b.data, at) - 1
		case c == want:
			v.end = at + 1
			if owner != nil {
				b.tokens = append(b.tokens, token{at, b.lineAt(at), owner})
			}
			return nil
		case strings.IndexByte(" \t\r\n,:", c) < 0: // ":" of a key without a value
			return b.refuse(v.line, "the end of a list or mapping cannot be found")
		}
	}
	return b.refuse(v.line, "the end of a list or mapping cannot be found")
}

func (b *builder) lineAt(offset int) int {
	return strings.Count(string(b.data[:min(offset, len(b.data))]), "\n") + 1
}

func (b *builder) refuse(line int, format string, args ...any) error {
	return &RefusedError{b.doc.File, line, fmt.Sprintf(format, args...)}
}
