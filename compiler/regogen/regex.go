package regogen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// dialect says what the strings are that a pattern is lowered for.
type dialect struct {
	sep  byte // '/', '.' or, for text, 0
	url  bool // %2F and %25 stand for one character
	fold bool // inputs and literals are in ASCII lower case
	line bool // arguments that each end in NUL
}

// regex renders a whole pattern, anchored at both ends.
func (d dialect) regex(p glob.Pattern) string {
	var b strings.Builder
	b.WriteString("(?s)^")
	d.body(&b, p)
	b.WriteByte('$')
	return b.String()
}

// alternation renders patterns over text as one anchored regex.
func (d dialect) alternation(ps []glob.Pattern) string {
	parts := make([]string, len(ps))
	for i, p := range ps {
		var b strings.Builder
		d.body(&b, p)
		parts[i] = b.String()
	}
	return "(?s)^(?:" + strings.Join(parts, "|") + ")$"
}

func (d dialect) body(b *strings.Builder, p glob.Pattern) {
	for i, s := range p.Segments {
		switch {
		case d.sep == '.' && s.Deep:
			b.WriteString(`[^.]+(?:\.[^.]+)*`)
		case d.sep == '.':
			d.segment(b, s)
		case s.Deep && i == len(p.Segments)-1:
			b.WriteString(`(?:/.*)?`)
		case s.Deep:
			b.WriteString(`(?:/[^/]*)*`)
		case d.sep == '/':
			b.WriteByte('/')
			d.segment(b, s)
		default:
			d.segment(b, s)
		}
		if d.sep == '.' && i < len(p.Segments)-1 {
			b.WriteString(`\.`)
		}
	}
}

func (d dialect) segment(b *strings.Builder, s glob.Segment) {
	if s.Whole() && d.sep != 0 {
		fmt.Fprintf(b, `[^%c]+`, d.sep)
		return
	}
	for i, t := range s.Tokens {
		switch t.Op {
		case glob.Literal:
			b.WriteString(regexp.QuoteMeta(d.literal(t.Lit)))
		case glob.Star:
			if d.splits(s.Tokens, i) {
				b.WriteString(d.one("", true) + "*")
				continue
			}
			b.WriteString(d.run())
		case glob.Any:
			b.WriteString(d.one("", true))
		case glob.Class:
			b.WriteString(d.class(t))
		}
	}
}

// splits tells whether the star at i could end inside what stands for one
// character of the input, an encoded percent say, so that the rest of it is taken
// for the token that follows: "*25" must not match "%25".
func (d dialect) splits(tokens []glob.Token, i int) bool {
	if d.sep == '.' || i == len(tokens)-1 {
		return false
	}
	next := tokens[i+1]
	return next.Op != glob.Literal || next.Lit == "" || strings.IndexByte(`\x0123456789abcdefABCDEF`, next.Lit[0]) >= 0
}

// run matches any characters within a segment.
func (d dialect) run() string {
	switch {
	case d.sep != 0:
		return fmt.Sprintf(`[^%c]*`, d.sep)
	case d.line:
		return `[^\x00]*`
	}
	return `.*`
}

// one matches a single character outside the given class body. In the compare
// form a backslash is doubled, a stray byte is \xHH, and in URLs %2F and %25
// are one character each.
func (d dialect) one(except string, escapes bool) string {
	sep := ""
	switch {
	case d.sep != 0:
		sep = string(rune(d.sep))
	case d.line:
		sep = `\x00`
	}
	alts := ""
	if escapes {
		alts = `\\\\|`
	}
	alts += `\\x[0-9A-Fa-f]{2}|`
	bare := sep + `\\`
	if d.url {
		alts += `%2[Ff]|%25|`
		bare += `%`
	}
	return `(?:` + alts + `[^` + bare + except + `])`
}

// nothing matches no character.
const nothing = `[^\x00-\x{10FFFF}]`

func (d dialect) class(t glob.Token) string {
	var body strings.Builder
	backslash, percent := false, false
	ranges := t.Ranges
	if d.sep != 0 && !t.Negate {
		ranges = cut(ranges, rune(d.sep)) // a class matches within its segment
	}
	if d.line && !t.Negate {
		ranges = cut(ranges, 0)
	}
	if d.fold {
		ranges = folded(ranges, t.Negate)
	}
	for _, r := range ranges {
		backslash = backslash || r.Lo <= '\\' && '\\' <= r.Hi
		percent = percent || r.Lo <= '%' && '%' <= r.Hi
		fmt.Fprintf(&body, `\x{%x}-\x{%x}`, r.Lo, r.Hi)
	}
	if t.Negate {
		return d.negated(body.String(), backslash, percent)
	}
	out := nothing
	if len(ranges) > 0 {
		out = `[` + body.String() + `]`
	}
	if backslash {
		// A bare backslash is never a character of the compare form.
		out = `\\\\|` + d.without(ranges, '\\')
	}
	if d.url && percent {
		out = `%25|` + d.without(ranges, '%')
		if backslash {
			out = `\\\\|` + out
		}
	}
	return `(?:` + out + `)`
}

// without renders the ranges less one character, and less a bare backslash.
func (d dialect) without(ranges []glob.Range, c rune) string {
	var body strings.Builder
	for _, r := range ranges {
		for _, part := range cut(cut([]glob.Range{r}, c), '\\') {
			fmt.Fprintf(&body, `\x{%x}-\x{%x}`, part.Lo, part.Hi)
		}
	}
	if body.Len() == 0 {
		return nothing
	}
	return `[` + body.String() + `]`
}

// folded adapts a class to inputs in lower case: a letter stands for itself and
// its capital, and matches if either would.
func folded(ranges []glob.Range, negate bool) []glob.Range {
	has := func(c rune) bool {
		return slices.ContainsFunc(ranges, func(r glob.Range) bool { return r.Lo <= c && c <= r.Hi })
	}
	out := ranges
	for c := 'a'; c <= 'z'; c++ {
		switch upper := c - 'a' + 'A'; {
		case negate && !has(upper):
			out = cut(out, c)
		case !negate && has(upper):
			out = append(slices.Clone(out), glob.Range{Lo: c, Hi: c})
		}
	}
	return out
}

func cut(ranges []glob.Range, c rune) []glob.Range {
	var out []glob.Range
	for _, r := range ranges {
		if c < r.Lo || c > r.Hi {
			out = append(out, r)
			continue
		}
		if r.Lo < c {
			out = append(out, glob.Range{Lo: r.Lo, Hi: c - 1})
		}
		if c < r.Hi {
			out = append(out, glob.Range{Lo: c + 1, Hi: r.Hi})
		}
	}
	return out
}

func (d dialect) negated(except string, backslash, percent bool) string {
	one := d.one(except, !backslash)
	if d.url && percent {
		one = strings.Replace(one, `%25|`, ``, 1)
	}
	return one
}

// literal folds a literal where inputs are folded.
func (d dialect) literal(s string) string {
	if !d.fold {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
