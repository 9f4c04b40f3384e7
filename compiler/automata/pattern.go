package automata

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// all are the characters of text, those that are no UTF-8 included.
var all = Of(glob.Range{Lo: 0, Hi: 0xD7FF}, glob.Range{Lo: 0xE000, Hi: utf8.MaxRune}, glob.Range{Lo: badByte + 0x80, Hi: last})

// form is how the patterns of a kind read strings.
type form struct {
	sep   Set // between segments; nil for text
	one   Set // a character of a segment
	run   Set // what a star matches any number of
	fold  bool
	web   bool // %2F and %25 are one symbol each
	split bool // %2F separates segments
}

func formOf(sep, more Set, f form) form {
	f.sep, f.one = sep, all.Union(more).Minus(sep)
	f.run = f.one.Union(One(Unknown))
	return f
}

var (
	slash      = One('/')
	fileForm   = formOf(slash, nil, form{})
	urlForm    = formOf(slash, One(EncodedSlash), form{web: true})
	foldedForm = formOf(slash, One(EncodedSlash), form{web: true, fold: true})
	splitForm  = formOf(One('/', EncodedSlash), nil, form{web: true, fold: true, split: true})
	textForm   = formOf(nil, nil, form{})
	hostForm   = formOf(One('.'), nil, form{})
)

// FilePath adds a glob over paths of files.
func (g *Graph) FilePath(p glob.Pattern, id int) { g.Accept(g.path(g.Root, p, &fileForm), id) }

// FileTree adds a glob over paths of files to those of a list: which of them
// matches is not told apart.
func (g *Graph) FileTree(p glob.Pattern, id int) {
	n := len(p.Segments) - 1
	if !p.Segments[n].Deep {
		g.FilePath(p, id)
		return
	}
	p.Segments = p.Segments[:n]
	at := g.path(g.Root, p, &fileForm)
	g.Accept(at, id)
	domain{g}.edge(at, slash, g.Sink(id, fileForm.one.Union(slash)))
}

// Program adds the paths of files of a name. If versioned, digits and dots follow
// it, as in python3.11.
func (g *Graph) Program(name string, versioned bool, id int) {
	at := g.Step(g.Optional(g.Root, slash, fileForm.one.Union(slash), nil), slash)
	for _, symbol := range Symbols(name, false) {
		at = g.Step(at, One(symbol))
	}
	if versioned {
		digits := Of(glob.Range{Lo: '0', Hi: '9'})
		at = g.Step(at, digits)
		g.Accept(at, id)
		at = g.Step(g.Loop(at, digits.Union(One('.'))), digits)
	}
	g.Accept(at, id)
}

// URLPath adds a glob as allow rules compare it with the path of a request.
func (g *Graph) URLPath(p glob.Pattern, id int) { g.Accept(g.path(g.Root, p, &urlForm), id) }

// DeniedPath adds a glob as deny rules compare it: without regard to case and to
// a slash at the end, which is folded, and the same with %2F read as a slash,
// which is split. Split counts only for paths that hold a %2F: add Holds(%2F).
func (g *Graph) DeniedPath(p glob.Pattern, folded, split int) {
	at := g.path(g.Root, p, &foldedForm)
	g.Accept(at, folded)
	g.Accept(g.Step(at, slash), folded)
	at = g.path(g.Root, p, &splitForm)
	encoded := g.Step(at, One(EncodedSlash))
	plain := g.Step(at, slash)
	for _, n := range []Node{at, encoded, plain, g.Step(encoded, slash), g.Step(plain, slash)} {
		g.Accept(n, split)
	}
}

// Holds adds the strings that hold a symbol.
func (g *Graph) Holds(symbol rune, id int) {
	any := all.Union(One(EncodedSlash))
	g.Accept(g.Loop(g.Step(g.Loop(g.Root, any), One(symbol)), any), id)
}

// Text adds a glob over text without segments.
func (g *Graph) Text(p glob.Pattern, id int) {
	g.Accept(g.segment(g.Root, p.Segments[0], &textForm), id)
}

// Host adds a host pattern, from right to left.
func (g *Graph) Host(p glob.Pattern, id int) {
	at := g.Root
	for i := len(p.Segments) - 1; i >= 0; i-- {
		s := p.Segments[i]
		if s.Deep {
			at = g.Loop(g.Step(at, hostForm.one), all)
		} else {
			at = g.segment(at, backwards(s), &hostForm)
		}
		if i > 0 {
			at = g.Step(at, hostForm.sep)
		}
	}
	g.Accept(at, id)
}

func backwards(s glob.Segment) glob.Segment {
	out := glob.Segment{Tokens: slices.Clone(s.Tokens)}
	slices.Reverse(out.Tokens)
	for i, t := range out.Tokens {
		runes := []rune(t.Lit)
		slices.Reverse(runes)
		out.Tokens[i].Lit = string(runes)
	}
	return out
}

// Arg is one token of a pattern over argument lists: any number of arguments, or
// one that matches a glob.
type Arg struct {
	Rest bool
	Glob glob.Pattern
}

// Args adds a pattern over argument lists, each argument ended by ArgEnd.
func (g *Graph) Args(tokens []Arg, id int) {
	at := g.Root
	for _, t := range tokens {
		if t.Rest {
			at = g.Optional(at, nil, all.Union(One(ArgEnd, Unknown)), One(ArgEnd))
			continue
		}
		at = g.Step(g.segment(at, t.Glob.Segments[0], &textForm), One(ArgEnd))
	}
	g.Accept(at, id)
}

// path leads through the segments of a path glob.
func (g *Graph) path(at Node, p glob.Pattern, f *form) Node {
	for _, s := range p.Segments {
		if s.Deep {
			at = g.Optional(at, f.sep, f.one.Union(f.sep), nil)
			continue
		}
		at = g.segment(g.Step(at, f.sep), s, f)
	}
	return at
}

func (g *Graph) segment(at Node, s glob.Segment, f *form) Node {
	if s.Whole() && f.sep != nil {
		return g.Loop(g.Step(at, f.one), f.one)
	}
	for _, t := range s.Tokens {
		switch t.Op {
		case glob.Literal:
			for _, symbol := range Symbols(t.Lit, f.web) {
				at = g.Step(at, f.literal(symbol))
			}
		case glob.Star:
			at = g.Loop(at, f.run)
		case glob.Any:
			at = g.Step(at, f.one)
		case glob.Class:
			at = g.Step(at, f.class(t))
		}
	}
	return at
}

// literal is what a literal symbol of a pattern stands for. Where %2F separates
// segments, no segment holds one.
func (f *form) literal(symbol rune) Set {
	s := One(symbol)
	if f.split {
		s = s.Minus(f.sep)
	}
	if f.fold {
		s = s.eitherCase()
	}
	return s
}

func (f *form) class(t glob.Token) Set {
	s := Of(t.Ranges...)
	if t.Negate {
		s = f.one.Minus(s)
	}
	if f.fold {
		s = s.eitherCase()
	}
	return s.Intersect(f.one)
}

// Symbols reads text in the compare form: `\\` is a backslash, `\xHH` a byte that
// is not UTF-8, and in URL paths %2F and %25 are one symbol each.
func Symbols(s string, web bool) []rune {
	var out []rune
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], `\\`):
			out, i = append(out, '\\'), i+2
		case s[i] == '\\' && i+3 < len(s):
			out, i = append(out, BadByte(unhex(s[i+2])<<4|unhex(s[i+3]))), i+4
		case web && strings.HasPrefix(s[i:], "%2F"):
			out, i = append(out, EncodedSlash), i+3
		case web && strings.HasPrefix(s[i:], "%25"):
			out, i = append(out, '%'), i+3
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			out, i = append(out, r), i+n
		}
	}
	return out
}

func unhex(c byte) byte { return byte(strings.IndexByte("0123456789ABCDEF", c)) }
