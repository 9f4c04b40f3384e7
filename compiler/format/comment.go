package format

import (
	"bytes"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/parse"
)

// span is a range of bytes.
type span struct{ start, end int }

// coverage lists the bytes that scalars take up, in order: what looks like a
// comment there is none.
func coverage(docs []*parse.Document, data []byte) []span {
	var out []span
	for _, d := range docs {
		walk(d.Root(), func(n *yaml.Node) {
			if n.Kind == yaml.ScalarNode {
				out = append(out, extent(d, data, n)...)
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

// extent is where a scalar stands: in two pieces where a comment may come between.
func extent(d *parse.Document, data []byte, n *yaml.Node) []span {
	start := max(d.Offset(n.Line, n.Column), 0)
	rest := data[start:]
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		head, _, size := blockScalar(data, start)
		body := lineEnd(data, start)
		return []span{{start, start + len(head)}, {body, max(start+size, body)}}
	case n.Style&yaml.SingleQuotedStyle != 0:
		return []span{{start, start + quoted(rest, '\'')}}
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return []span{{start, start + quoted(rest, '"')}}
	}
	return []span{{start, start + plainLength(rest, n.Value)}}
}

func quoted(rest []byte, quote byte) int {
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

// blockScalar takes a | or > scalar apart: its header line without comment, its
// lines as they stand, and its length in bytes, trailing blank lines left out.
func blockScalar(data []byte, start int) (header string, lines []string, size int) {
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

// note is a comment, or a blank line between others.
type note struct {
	line, col int    // col in characters
	offset    int    // of "#"
	text      string // with "#"; "" for a blank line
	own       bool   // nothing stands before it on its line
}

// comments lists the comments of a text whose scalars are known.
func comments(data []byte, covered []span) []note {
	var out []note
	next, number := 0, 0
	for at := 0; at < len(data); {
		end := lineEnd(data, at)
		number++
		for i := at; i < end; i++ {
			for next < len(covered) && covered[next].end <= i {
				next++
			}
			if next < len(covered) && covered[next].start <= i {
				i = max(covered[next].end-1, i)
				continue
			}
			if data[i] == '#' && (i == at || data[i-1] == ' ' || data[i-1] == '\t' || bytes.HasSuffix(data[:i], []byte("\ufeff"))) {
				before := strings.TrimPrefix(string(data[at:i]), "\ufeff")
				out = append(out, note{
					line: number, col: utf8.RuneCountInString(before) + 1, offset: i,
					text: strings.TrimRight(string(data[i:end]), " \t\r\n"), own: strings.TrimSpace(before) == "",
				})
				break
			}
		}
		at = end
	}
	return out
}
