package check

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// token is one word of a command pattern as a glob: what was quoted is escaped.
type token struct {
	text   string
	offset int // in the pattern, in bytes
}

// split cuts a pattern into stages of tokens by the quoting rules of the POSIX
// shell, to which export, local, time and [ are words like any other.
func split(src string) ([][]token, error) {
	f, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(src), "")
	if err != nil {
		offset := 0
		if e, ok := err.(syntax.ParseError); ok {
			offset = int(e.Pos.Offset())
			err = fmt.Errorf("%s", e.Text)
		}
		return nil, &glob.Error{Offset: offset, Message: "the pattern is not a command: " + err.Error(), Hint: "quote what the shell would read otherwise"}
	}
	if len(f.Stmts) == 0 {
		return nil, &glob.Error{Message: "the pattern is empty", Hint: "write a program and its arguments, as in git *"}
	}
	if len(f.Stmts) > 1 || len(f.Last) > 0 {
		return nil, refused(f.Stmts[len(f.Stmts)-1].Pos(), "more than one command", oneEach)
	}
	return stages(f.Stmts[0])
}

// What to write instead of what a pattern cannot hold.
const (
	oneEach      = "write one pattern for each command; quote characters that are meant literally"
	leftOut      = "leave it out; quote characters that are meant literally"
	varying      = "write * for text that varies; put it into single quotes if it is meant literally"
	programFirst = "begin with the program; quote the word if it is the program"
)

func refused(p syntax.Pos, what, hint string) error {
	return &glob.Error{Offset: int(p.Offset()), Message: "a pattern is one command or stages joined by |, not " + what, Hint: hint}
}

func stages(s *syntax.Stmt) ([][]token, error) {
	switch {
	case s.Negated:
		return nil, refused(s.Pos(), "a negation", leftOut)
	case s.Background:
		return nil, refused(s.Semicolon, "a background command", leftOut)
	case len(s.Redirs) > 0:
		return nil, refused(s.Redirs[0].Pos(), "a redirection", leftOut)
	case s.Semicolon.IsValid():
		return nil, refused(s.Semicolon, "a list with ;", oneEach)
	case len(s.Comments) > 0:
		return nil, refused(s.Comments[0].Pos(), "a comment", leftOut)
	}
	switch c := s.Cmd.(type) {
	case *syntax.CallExpr:
		tokens, err := words(c)
		return [][]token{tokens}, err
	case *syntax.BinaryCmd:
		if c.Op != syntax.Pipe {
			return nil, refused(c.OpPos, "a list with "+c.Op.String(), oneEach)
		}
		left, err := stages(c.X)
		if err != nil {
			return nil, err
		}
		right, err := stages(c.Y)
		return append(left, right...), err
	}
	return nil, refused(s.Pos(), "a compound command", oneEach)
}

func words(c *syntax.CallExpr) ([]token, error) {
	if len(c.Assigns) > 0 {
		return nil, refused(c.Assigns[0].Pos(), "an assignment", programFirst)
	}
	out := make([]token, 0, len(c.Args))
	for _, w := range c.Args {
		t := token{offset: int(w.Pos().Offset())}
		var b strings.Builder
		for _, p := range w.Parts {
			if err := part(&b, p); err != nil {
				return nil, err
			}
		}
		t.text = b.String()
		out = append(out, t)
	}
	return out, nil
}

func part(b *strings.Builder, p syntax.WordPart) error {
	switch p := p.(type) {
	case *syntax.Lit:
		b.WriteString(p.Value)
	case *syntax.SglQuoted:
		if p.Dollar {
			return refused(p.Pos(), "$'...'", varying)
		}
		b.WriteString(literal(p.Value))
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			lit, ok := inner.(*syntax.Lit)
			if !ok || p.Dollar {
				return refused(inner.Pos(), "an expansion", varying)
			}
			b.WriteString(literal(unquote(lit.Value)))
		}
	default:
		return refused(p.Pos(), "an expansion", varying)
	}
	return nil
}

// unquote drops the backslashes that double quotes give a meaning to.
func unquote(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(s)
}

// literal escapes what a glob would read.
func literal(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}
