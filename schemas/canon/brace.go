package canon

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// unclearBraces finds words whose braces bash and the parser may expand in
// different ways: where a group stands beside braces that are none, or a quoted
// character. split is the word after the parser took it apart.
func unclearBraces(w, split *syntax.Word) bool {
	text := literals(w)
	if strings.IndexByte(text, '{') < 0 {
		return false
	}
	if strings.IndexByte(text, '\\') >= 0 {
		return true
	}
	if slices.ContainsFunc(split.Parts, isGroup) {
		return strings.ContainsAny(literals(split), "{}")
	}
	// Nothing expands without a comma or a range inside braces.
	depth := 0
	for i := range len(text) {
		switch {
		case text[i] == '{':
			depth++
		case text[i] == '}':
			depth--
		case depth > 0 && (text[i] == ',' || strings.HasPrefix(text[i:], "..")):
			return true
		}
		if depth < 0 || depth > 1 {
			return strings.ContainsAny(text, ",") || strings.Contains(text, "..")
		}
	}
	return false
}

func isGroup(p syntax.WordPart) bool {
	_, ok := p.(*syntax.BraceExp)
	return ok
}

// literals is the unquoted literal text of a word, that of brace expansions
// included.
func literals(w *syntax.Word) string {
	var b strings.Builder
	for _, p := range w.Parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(p.Value)
		case *syntax.BraceExp:
			for _, e := range p.Elems {
				b.WriteString(literals(e))
			}
		}
	}
	return b.String()
}
