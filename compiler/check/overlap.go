package check

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// HostsMeet tells whether some host matches both patterns. It is exact: labels
// are compared one by one, and only the first may be "**".
func HostsMeet(a, b glob.Pattern) bool {
	x, y := a.Segments, b.Segments
	switch {
	case deepFirst(x) && deepFirst(y):
		n := min(len(x), len(y)) - 1
		return labelsOverlap(x[len(x)-n:], y[len(y)-n:])
	case deepFirst(y):
		x, y = y, x
		fallthrough
	case deepFirst(x):
		n := len(x) - 1
		return len(y) > n && labelsOverlap(x[1:], y[len(y)-n:])
	}
	return len(x) == len(y) && labelsOverlap(x, y)
}

func deepFirst(s []glob.Segment) bool { return len(s) > 0 && s[0].Deep }

func labelsOverlap(x, y []glob.Segment) bool {
	for i := range slices.Backward(x) { // names differ most often in their last labels
		a, literal := x[i].Literal()
		if b, both := y[i].Literal(); literal && both {
			if a != b {
				return false
			}
			continue
		}
		if !tokensOverlap(atoms(x[i].Tokens), atoms(y[i].Tokens)) {
			return false
		}
	}
	return true
}

// atoms cuts literals into single characters.
func atoms(tokens []glob.Token) []glob.Token {
	var out []glob.Token
	for _, t := range tokens {
		if t.Op != glob.Literal {
			out = append(out, t)
			continue
		}
		for _, r := range t.Lit {
			out = append(out, glob.Token{Op: glob.Literal, Lit: string(r)})
		}
	}
	return out
}

// tokensOverlap tells whether some label matches both, by walking both patterns
// at once: ok[j] says that the rest of y from j can match with the rest of x.
func tokensOverlap(x, y []glob.Token) bool {
	ok := make([]bool, len(y)+1)
	for i := len(x); i >= 0; i-- {
		next := ok
		ok = make([]bool, len(y)+1)
		for j := len(y); j >= 0; j-- {
			ok[j] = step(x, y, i, j, ok, next)
		}
	}
	return ok[0]
}

func step(x, y []glob.Token, i, j int, same, next []bool) bool {
	endX, endY := i == len(x), j == len(y)
	switch {
	case endX && endY:
		return true
	case !endX && x[i].Op == glob.Star:
		return next[j] || !endY && same[j+1]
	case !endY && y[j].Op == glob.Star:
		return same[j+1] || !endX && next[j]
	}
	return !endX && !endY && next[j+1] && charactersOverlap(x[i], y[j])
}

// hostCharacters are those that a canonical host name may hold.
const hostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_"

func charactersOverlap(a, b glob.Token) bool {
	return strings.ContainsFunc(hostCharacters, func(r rune) bool { return matches(a, r) && matches(b, r) })
}

func matches(t glob.Token, r rune) bool {
	switch t.Op {
	case glob.Any:
		return true
	case glob.Literal:
		return t.Lit == string(r)
	}
	in := false
	for _, g := range t.Ranges {
		in = in || g.Lo <= r && r <= g.Hi
	}
	return in != t.Negate
}
