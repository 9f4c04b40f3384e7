package parse

import (
	"bytes"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// Span is a range of bytes of a file.
type Span struct{ Start, End int }

// coverage lists the bytes that scalars take up, in order: what looks like a
// comment there is none.
func coverage(docs []*Document) []Span {
	var out []Span
	for _, d := range docs {
		walk(d.Root(), func(n *yaml.Node) {
			if n.Kind == yaml.ScalarNode {
				out = append(out, d.Extent(n)...)
			}
		})
	}
	return out
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}

// Extent is where a scalar of the document stands: in two pieces where a comment may
// come between.
func (d *Document) Extent(n *yaml.Node) []Span {
	data := d.src.data
	start := max(d.Offset(n.Line, n.Column), 0)
	rest := data[start:]
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		head, _, size := BlockScalar(data, start)
		body := lineEnd(data, start)
		return []Span{{start, start + len(head)}, {body, max(start+size, body)}}
	case n.Style&yaml.SingleQuotedStyle != 0:
		return []Span{{start, start + quotedExtent(rest, '\'')}}
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return []Span{{start, start + quotedExtent(rest, '"')}}
	}
	return []Span{{start, start + plainLength(rest, n.Value)}}
}

func quotedExtent(rest []byte, quote byte) int {
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
	return len(rest)
}

// plainLength measures a plain scalar, whose words may stand on several lines.
func plainLength(rest []byte, value string) int {
	at := 0
	for _, word := range strings.Fields(value) {
		i := bytes.Index(rest[at:], []byte(word))
		if i < 0 {
			return at
		}
		at += i + len(word)
	}
	return at
}

// BlockScalar takes a | or > scalar apart: its header line without comment, its
// lines as they stand, and its length in bytes, trailing blank lines left out.
func BlockScalar(data []byte, start int) (header string, lines []string, size int) {
	end := lineEnd(data, start)
	head := strings.TrimRight(string(data[start:end]), " \t\r\n")
	if i := strings.IndexByte(head, '#'); i >= 0 {
		head = strings.TrimRight(head[:i], " \t")
	}
	size = len(head)
	indent := -1
	var pending []string
	for at := end; at < len(data); {
		next := lineEnd(data, at)
		line := strings.TrimRight(string(data[at:next]), "\r\n")
		blank := strings.TrimSpace(line) == ""
		width := len(line) - len(strings.TrimLeft(line, " "))
		if indent < 0 && !blank {
			if width <= indentOf(data, start) {
				break
			}
			indent = width
		}
		if !blank && width < indent {
			break
		}
		pending = append(pending, line)
		if !blank {
			lines, pending, size = append(lines, pending...), nil, next-start-trailing(data[at:next])
		}
		at = next
	}
	return head, lines, size
}

func trailing(line []byte) int {
	return len(line) - len(bytes.TrimRight(line, "\r\n"))
}

// indentOf is the indentation of the line that holds an offset.
func indentOf(data []byte, at int) int {
	begin := bytes.LastIndexByte(data[:at], '\n') + 1
	line := data[begin:]
	return len(line) - len(bytes.TrimLeft(line, " "))
}

func lineEnd(data []byte, at int) int {
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(data)
}

// Comment is a comment of a file.
type Comment struct {
	Line, Col int    // Col in characters
	Offset    int    // of "#"
	Text      string // with "#"
	Own       bool   // nothing stands before it on its line
}

// Comments lists the comments of a file whose documents are given: what looks like
// one in a scalar is none. Of a file without documents it is the best guess.
func Comments(docs []*Document, data []byte) []Comment {
	covered := coverage(docs)
	var out []Comment
	next, number := 0, 0
	for at := 0; at < len(data); {
		end := lineEnd(data, at)
		number++
		for i := at; i < end; i++ {
			for next < len(covered) && covered[next].End <= i {
				next++
			}
			if next < len(covered) && covered[next].Start <= i {
				i = max(covered[next].End-1, i)
				continue
			}
			if data[i] == '#' && (i == at || data[i-1] == ' ' || data[i-1] == '\t' || bytes.HasSuffix(data[:i], []byte("\ufeff"))) {
				before := strings.TrimPrefix(string(data[at:i]), "\ufeff")
				out = append(out, Comment{
					Line: number, Col: utf8.RuneCountInString(before) + 1, Offset: i,
					Text: strings.TrimRight(string(data[i:end]), " \t\r\n"), Own: strings.TrimSpace(before) == "",
				})
				break
			}
		}
		at = end
	}
	return out
}
