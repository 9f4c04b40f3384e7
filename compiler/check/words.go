package check

import (
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// word is one token of a command pattern as a glob: what was quoted in the
// pattern is literal in it.
type word struct {
	glob   string
	offset int // in the pattern
}

// rest tells a bare * from any other word.
func (w word) rest() bool { return w.glob == "*" }

// words cuts a command pattern into stages and words by the quoting rules of
// POSIX shells:
//
//	pattern = stage { "|" stage }
//	stage   = word { blank word }
//	word    = ( plain | "\" any | "'" any "'" | `"` any `"` ) ...
//
// In plain text * ? and [ are wildcards. Every other operator, an expansion or
// a comment is an error: a pattern is matched, not run.
func words(pattern string) ([][]word, error) {
	l := &lexer{src: strings.TrimSpace(pattern)}
	l.shift = strings.Index(pattern, l.src)
	for l.at < len(l.src) {
		if err := l.next(); err != nil {
			err.Offset += l.shift
			return nil, err
		}
	}
	if err := l.endStage(); err != nil {
		err.Offset += l.shift
		return nil, err
	}
	return l.stages, nil
}

type lexer struct {
	src    string
	at     int
	shift  int // of src in the pattern
	stages [][]word
	stage  []word
}

func (l *lexer) fail(offset int, hint, format string, args ...any) *glob.Error {
	return &glob.Error{Offset: offset, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// next takes a blank, a bar or a word.
func (l *lexer) next() *glob.Error {
	switch l.src[l.at] {
	case ' ', '\t':
		l.at++
		return nil
	case '|':
		if strings.HasPrefix(l.src[l.at:], "||") {
			return l.operator()
		}
		if err := l.endStage(); err != nil {
			return err
		}
		l.at++
		return nil
	case '#':
		return l.fail(l.at, `quote it: "#"`, "# begins a comment")
	}
	return l.word()
}

func (l *lexer) endStage() *glob.Error {
	if len(l.stage) == 0 {
		return l.fail(min(l.at, max(len(l.src)-1, 0)), "write a command on both sides of |", "a command is missing")
	}
	l.stages, l.stage = append(l.stages, l.stage), nil
	return nil
}

func (l *lexer) word() *glob.Error {
	w := word{offset: l.at + l.shift}
	var b strings.Builder
	for l.at < len(l.src) && !strings.ContainsRune(" \t|", rune(l.src[l.at])) {
		if err := l.piece(&b); err != nil {
			return err
		}
	}
	w.glob = b.String()
	l.stage = append(l.stage, w)
	return nil
}

// piece takes a quoted part or a plain character.
func (l *lexer) piece(b *strings.Builder) *glob.Error {
	start := l.at
	switch c := l.src[l.at]; c {
	case '\'':
		end := strings.IndexByte(l.src[start+1:], '\'')
		if end < 0 {
			return l.fail(start, "close it with '", "the quote is not closed")
		}
		literal(b, l.src[start+1:start+1+end])
		l.at = start + end + 2
	case '"':
		return l.double(b)
	case '\\':
		if start+1 == len(l.src) {
			return l.fail(start, `write \\ for a backslash`, "the pattern ends in a single backslash")
		}
		literal(b, l.src[start+1:start+2])
		l.at += 2
	case '&', ';', '<', '>', '(', ')', '$', '`', '\n', '\r':
		return l.operator()
	default:
		b.WriteByte(c)
		l.at++
	}
	return nil
}

func (l *lexer) double(b *strings.Builder) *glob.Error {
	start := l.at
	for l.at++; l.at < len(l.src); l.at++ {
		switch c := l.src[l.at]; {
		case c == '"':
			l.at++
			return nil
		case c == '$' || c == '`':
			return l.operator()
		case c == '\\' && l.at+1 < len(l.src) && strings.IndexByte("$`\"\\", l.src[l.at+1]) >= 0:
			l.at++
			fallthrough
		default:
			literal(b, l.src[l.at:l.at+1])
		}
	}
	return l.fail(start, `close it with "`, "the quote is not closed")
}

// literal writes text so that a glob takes it as it stands.
func literal(b *strings.Builder, s string) {
	for i := 0; i < len(s); i++ {
		if strings.IndexByte(`*?[]\`, s[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
}

// operators pairs what a pattern cannot hold with what to do instead.
var operators = []struct{ text, hint string }{
	{"&&", "write each command as a pattern of its own"},
	{"||", "write each command as a pattern of its own; one bar joins the stages of a pipeline"},
	{";", "write each command as a pattern of its own"},
	{"&", "leave it out: a command is judged the same in the background"},
	{">", "leave it out: filesystem says which files may be written"},
	{"<", "leave it out: filesystem says which files may be read"},
	{"$", "write * for what is not known before; quote a literal $ with '"},
	{"`", "write * for what is not known before; quote a literal ` with '"},
	{"(", "quote it with '"},
	{")", "quote it with '"},
	{"\n", "write each command as a pattern of its own"},
	{"\r", "write each command as a pattern of its own"},
}

func (l *lexer) operator() *glob.Error {
	for _, o := range operators {
		if strings.HasPrefix(l.src[l.at:], o.text) {
			return l.fail(l.at, o.hint, "a command pattern cannot hold %q", o.text)
		}
	}
	return l.fail(l.at, "quote it with '", "a command pattern cannot hold %q", l.src[l.at:l.at+1])
}
