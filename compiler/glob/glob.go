// Package glob parses the patterns of a policy. There is one syntax for hosts,
// paths and text, and three ways to cut a string into segments:
//
//	paths  segments between "/"; "**" as a whole segment is any number of them
//	hosts  labels between "."; "**" as the first label is one or more of them
//	text   no segments: "*" also matches "/"; "**" is an error
//
// Within a segment "*" matches any run, "?" one character, "[a-z]" and "[!a-z]"
// one of a class, and "\" takes the next character literally. A segment that is
// only "*" matches exactly one non-empty segment.
package glob

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Op says what a Token matches.
type Op int

// The token kinds.
const (
	Literal Op = iota // the text in Lit
	Star              // any run of characters within the segment
	Any               // one character of the segment
	Class             // one character of the class in Ranges
)

// Token is one element of a segment.
type Token struct {
	Op     Op
	Lit    string  // Literal
	Ranges []Range // Class
	Negate bool    // Class
}

// Range is an inclusive range of characters.
type Range struct{ Lo, Hi rune }

// Segment is the part of a pattern between separators.
type Segment struct {
	Deep   bool // "**"
	Tokens []Token
}

// Whole tells whether the segment is only "*": one whole non-empty segment.
func (s Segment) Whole() bool {
	return !s.Deep && len(s.Tokens) == 1 && s.Tokens[0].Op == Star
}

// Literal returns the text of a segment without wildcards.
func (s Segment) Literal() (string, bool) {
	if s.Deep || len(s.Tokens) > 1 {
		return "", false
	}
	if len(s.Tokens) == 0 {
		return "", true
	}
	return s.Tokens[0].Lit, s.Tokens[0].Op == Literal
}

// Pattern is a parsed glob. Source is what the author wrote.
type Pattern struct {
	Source   string
	Segments []Segment
}

// Literal returns the text of a pattern without wildcards, its segments joined
// with sep.
func (p Pattern) Literal(sep string) (string, bool) {
	parts := make([]string, len(p.Segments))
	for i, s := range p.Segments {
		lit, ok := s.Literal()
		if !ok {
			return "", false
		}
		parts[i] = lit
	}
	return strings.Join(parts, sep), true
}

// Error is a syntax error at a byte offset of the pattern.
type Error struct {
	Offset  int
	Message string
	Hint    string
}

func (e *Error) Error() string { return e.Message }

func errorAt(offset int, hint, format string, args ...any) *Error {
	return &Error{Offset: offset, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// scan cuts a pattern into segments at sep (0 for none). decode turns a run of
// literal text into the form that inputs are compared in.
func scan(src string, sep byte, decode func(string) string) (Pattern, error) {
	p := Pattern{Source: src}
	seg := Segment{}
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			seg.Tokens = append(seg.Tokens, Token{Op: Literal, Lit: decode(lit.String())})
			lit.Reset()
		}
	}
	start := 0
	end := func(at int) error {
		flush()
		if err := closeSegment(&seg, src[start:at], start); err != nil {
			return err
		}
		p.Segments = append(p.Segments, seg)
		seg, start = Segment{}, at+1
		return nil
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case sep != 0 && c == sep:
			if err := end(i); err != nil {
				return Pattern{}, err
			}
			i++
		case c == '\\':
			if i+1 == len(src) {
				return Pattern{}, errorAt(i, `write \\ for a backslash`, `the pattern ends in a single backslash`)
			}
			if sep != 0 && src[i+1] == sep {
				return Pattern{}, errorAt(i, "write it without the backslash", "%q separates segments and cannot be escaped", string(rune(sep)))
			}
			_, n := utf8.DecodeRuneInString(src[i+1:])
			lit.WriteString(src[i+1 : i+1+n])
			i += 1 + n
		case c == '*':
			flush()
			seg.Tokens = append(seg.Tokens, Token{Op: Star})
			i++
		case c == '?':
			flush()
			seg.Tokens = append(seg.Tokens, Token{Op: Any})
			i++
		case c == '[':
			flush()
			tok, n, err := class(src, i, sep)
			if err != nil {
				return Pattern{}, err
			}
			seg.Tokens = append(seg.Tokens, tok)
			i += n
		default:
			lit.WriteByte(c)
			i++
		}
	}
	if err := end(len(src)); err != nil {
		return Pattern{}, err
	}
	return p, nil
}

// closeSegment turns "**" into a deep segment and refuses it glued to anything.
func closeSegment(seg *Segment, src string, start int) error {
	for i := 1; i < len(seg.Tokens); i++ {
		if seg.Tokens[i].Op != Star || seg.Tokens[i-1].Op != Star {
			continue
		}
		if len(seg.Tokens) == 2 {
			*seg = Segment{Deep: true}
			return nil
		}
		at := start + max(strings.Index(src, "**"), 0)
		return errorAt(at, `write ** as a segment of its own, as in /a/**/b`, `** is glued to other characters in %q`, src)
	}
	return nil
}

// class parses "[a-z]" or "[!a-z]" at src[i:] and returns its length.
func class(src string, i int, sep byte) (Token, int, error) {
	tok := Token{Op: Class}
	j := i + 1
	if j < len(src) && src[j] == '!' {
		tok.Negate = true
		j++
	}
	next := func() (rune, error) {
		if j < len(src) && src[j] == '\\' {
			j++
		}
		r, n := utf8.DecodeRuneInString(src[j:])
		if n == 0 || r == utf8.RuneError && n == 1 {
			return 0, errorAt(i, `close it with ], or write \[ for a bracket`, `the character class is not closed`)
		}
		if sep != 0 && r == rune(sep) {
			return 0, errorAt(j, "list what the class may match, without the separator", `a character class cannot hold the separator %q`, string(rune(sep)))
		}
		j += n
		return r, nil
	}
	for first := true; j >= len(src) || src[j] != ']' || first; first = false {
		lo, err := next()
		if err != nil {
			return tok, 0, err
		}
		hi := lo
		if j+1 < len(src) && src[j] == '-' && src[j+1] != ']' {
			j++
			if hi, err = next(); err != nil {
				return tok, 0, err
			}
		}
		if hi < lo {
			return tok, 0, errorAt(i, fmt.Sprintf("write %c-%c", hi, lo), `the range %c-%c is empty`, lo, hi)
		}
		tok.Ranges = append(tok.Ranges, Range{lo, hi})
	}
	return tok, j + 1 - i, nil
}
