package canon

import (
	"slices"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// word is one word of shell text after brace expansion and removing quotes.
type word struct {
	text  string // escaped; what is not known is unknown
	raw   string // unescaped; only where dynamic is false
	dyn   bool   // a part is not literal
	glob  bool   // unquoted, with characters that match file names
	tilde bool   // begins with an unquoted "~"
	subs  []*syntax.CmdSubst
	procs []*syntax.ProcSubst
}

// literal tells whether the shell takes the word for exactly raw.
func (w *word) literal() bool { return !w.dyn && !w.glob && !w.tilde }

func literalWord(raw string) word { return word{text: Escape(raw), raw: raw} }

// maxWords bounds what brace expansion makes of one text.
const maxWords = 4096

// words expands the words of a command.
func (b *builder) words(list []*syntax.Word) []word {
	var out []word
	for _, w := range list {
		if braces(w) > maxBraces {
			b.fail(refuse("a word of the command holds more than %d opening braces", maxBraces))
			return nil
		}
		split := &syntax.Word{Parts: slices.Clone(w.Parts)}
		syntax.SplitBraces(split)
		if unclearBraces(w, split) {
			out = append(out, newWord(w).forget())
			continue
		}
		for one, err := range expand.BracesSeq(nil, split) {
			b.expanded++
			if err != nil || b.expanded > maxWords {
				b.fail(refuse("the command expands to more than %d words", maxWords))
				return nil
			}
			if w := newWord(one); w.text != "" || quotes(one) {
				out = append(out, w) // "{,rm}" is rm: an empty word without quotes is none
			}
		}
	}
	return out
}

// quotes tells whether a word holds anything but bare text.
func quotes(w *syntax.Word) bool {
	return slices.ContainsFunc(w.Parts, func(p syntax.WordPart) bool {
		_, bare := p.(*syntax.Lit)
		return !bare
	})
}

// forget makes a word unknown, but for its substitutions.
func (w word) forget() word {
	return word{text: unknown, dyn: true, subs: w.subs, procs: w.procs}
}

// braces counts what may begin a brace expansion.
func braces(w *syntax.Word) (n int) {
	for _, p := range w.Parts {
		if lit, ok := p.(*syntax.Lit); ok {
			n += strings.Count(lit.Value, "{")
		}
	}
	return n
}

// wordBuilder gathers literal bytes until something that is not literal
// follows, so that no character is cut in two.
type wordBuilder struct {
	word
	done    strings.Builder // escaped
	pending strings.Builder // literal, not yet escaped
	bracket bool            // an unquoted "[" stands open
}

func newWord(w *syntax.Word) word {
	b := &wordBuilder{}
	for i, p := range w.Parts {
		if lit, ok := p.(*syntax.Lit); ok {
			b.unquoted(lit.Value, i == 0)
			continue
		}
		b.part(p)
	}
	return b.finish()
}

func (b *wordBuilder) finish() word {
	b.raw = b.pending.String()
	b.done.WriteString(Escape(b.raw))
	if b.dyn {
		b.raw = ""
	}
	b.text = b.done.String()
	return b.word
}

func (b *wordBuilder) part(p syntax.WordPart) {
	switch p := p.(type) {
	case *syntax.Lit:
		b.quoted(p.Value)
	case *syntax.SglQuoted:
		b.single(p)
	case *syntax.DblQuoted:
		for _, inner := range p.Parts {
			b.part(inner)
		}
	case *syntax.ProcSubst:
		b.pending.WriteString("/dev/fd/")
		b.procs = append(b.procs, p)
		b.unknown()
	case *syntax.CmdSubst:
		b.subs = append(b.subs, p)
		b.unknown()
	default:
		nested(p, func(c *syntax.CmdSubst) { b.subs = append(b.subs, c) }, func(s *syntax.ProcSubst) { b.procs = append(b.procs, s) })
		b.unknown()
	}
}

// nested finds the outermost substitutions in a node.
func nested(n syntax.Node, sub func(*syntax.CmdSubst), proc func(*syntax.ProcSubst)) {
	syntax.Walk(n, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CmdSubst:
			sub(n)
			return false
		case *syntax.ProcSubst:
			proc(n)
			return false
		}
		return true
	})
}

func (b *wordBuilder) unknown() {
	b.done.WriteString(Escape(b.pending.String()))
	b.pending.Reset()
	b.dyn = true
	if !strings.HasSuffix(b.done.String(), unknown) {
		b.done.WriteString(unknown)
	}
}

// unquoted takes literal text outside quotes, where a backslash quotes any
// character.
func (b *wordBuilder) unquoted(s string, first bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			switch {
			case i == len(s):
				b.pending.WriteByte('\\') // the last byte of the text quotes nothing
			case s[i] != '\n':
				b.pending.WriteByte(s[i])
			}
			continue
		case c == '*' || c == '?' || c == ']' && b.bracket:
			b.glob = true
		case c == '[':
			b.bracket = true
		case c == '~' && first && i == 0:
			b.tilde = true
		}
		b.pending.WriteByte(c)
	}
}

// quoted takes literal text inside double quotes (POSIX, section 2.2.3).
func (b *wordBuilder) quoted(s string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("$`\"\\\n", s[i+1]) >= 0 {
			i++
			if s[i] == '\n' {
				continue
			}
		}
		b.pending.WriteByte(s[i])
	}
}

func (b *wordBuilder) single(q *syntax.SglQuoted) {
	if !q.Dollar {
		b.pending.WriteString(q.Value)
		return
	}
	s, ok := ansiC(q.Value)
	if !ok {
		b.unknown()
		return
	}
	b.pending.WriteString(s)
}
