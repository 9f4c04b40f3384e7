package exact

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// MatchesFile tells whether a glob matches an absolute path.
func MatchesFile(p glob.Pattern, path string) bool {
	word := automata.Symbols(canon.Escape(path), false)
	if len(word) == 0 || word[0] != '/' {
		return false
	}
	segments := [][]rune{{}}
	for _, r := range word[1:] {
		if r == '/' {
			segments = append(segments, []rune{})
			continue
		}
		segments[len(segments)-1] = append(segments[len(segments)-1], r)
	}
	return matchSegments(p.Segments, segments)
}

// matchSegments keeps the set of places in the pattern that are reached.
func matchSegments(p []glob.Segment, segments [][]rune) bool {
	at := make([]bool, len(p)+1)
	at[0] = true
	skip(p, at)
	for _, s := range segments {
		next := make([]bool, len(p)+1)
		for i, g := range p {
			switch {
			case !at[i]:
			case g.Deep:
				next[i] = true
			case g.Whole():
				next[i+1] = next[i+1] || len(s) > 0
			default:
				next[i+1] = next[i+1] || matchTokens(g.Tokens, s)
			}
		}
		skip(p, next)
		at = next
	}
	return at[len(p)]
}

// skip lets "**" match nothing.
func skip(p []glob.Segment, at []bool) {
	for i, g := range p {
		at[i+1] = at[i+1] || at[i] && g.Deep
	}
}

func matchTokens(ts []glob.Token, s []rune) bool {
	if len(ts) == 0 {
		return len(s) == 0
	}
	t := ts[0]
	switch {
	case t.Op == glob.Star:
		return matchStar(ts[1:], s)
	case t.Op == glob.Literal:
		lit := automata.Symbols(t.Lit, false)
		return len(s) >= len(lit) && slices.Equal(s[:len(lit)], lit) && matchTokens(ts[1:], s[len(lit):])
	case len(s) == 0:
		return false
	case t.Op == glob.Any:
		return matchTokens(ts[1:], s[1:])
	}
	return automata.Of(t.Ranges...).Has(s[0]) != t.Negate && matchTokens(ts[1:], s[1:])
}

func matchStar(rest []glob.Token, s []rune) bool {
	for i := range len(s) + 1 {
		if matchTokens(rest, s[i:]) {
			return true
		}
	}
	return false
}
