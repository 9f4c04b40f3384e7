package lint

import (
	"github.com/openshell-policy/openshell/compiler/glob"
)

// pathsMeet tells whether some path matches both patterns. It is exact.
func pathsMeet(a, b glob.Pattern) bool {
	x, y := a.Segments, b.Segments
	ok := make([]bool, len(y)+1)
	for i := len(x); i >= 0; i-- {
		below := ok
		ok = make([]bool, len(y)+1)
		for j := len(y); j >= 0; j-- {
			deepX, deepY := i < len(x) && x[i].Deep, j < len(y) && y[j].Deep
			switch {
			case i == len(x) && j == len(y):
				ok[j] = true
			case deepX && deepY:
				ok[j] = below[j] || ok[j+1]
			case deepX:
				ok[j] = below[j] || j < len(y) && ok[j+1]
			case deepY:
				ok[j] = ok[j+1] || i < len(x) && below[j]
			default:
				ok[j] = i < len(x) && j < len(y) && below[j+1] && segmentsMeet(x[i], y[j])
			}
		}
	}
	return ok[0]
}

func segmentsMeet(a, b glob.Segment) bool {
	empty := func(s glob.Segment) bool { return len(s.Tokens) == 0 }
	if a.Whole() && empty(b) || b.Whole() && empty(a) {
		return false // a whole * is never empty
	}
	x, literal := a.Literal()
	if y, both := b.Literal(); literal && both {
		return x == y
	}
	return tokensMeet(characters(a.Tokens), characters(b.Tokens))
}

// characters cuts literals into single characters.
func characters(tokens []glob.Token) []glob.Token {
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

func tokensMeet(x, y []glob.Token) bool {
	ok := make([]bool, len(y)+1)
	for i := len(x); i >= 0; i-- {
		below := ok
		ok = make([]bool, len(y)+1)
		for j := len(y); j >= 0; j-- {
			starX, starY := i < len(x) && x[i].Op == glob.Star, j < len(y) && y[j].Op == glob.Star
			switch {
			case i == len(x) && j == len(y):
				ok[j] = true
			case starX:
				ok[j] = below[j] || j < len(y) && ok[j+1]
			case starY:
				ok[j] = ok[j+1] || i < len(x) && below[j]
			default:
				ok[j] = i < len(x) && j < len(y) && below[j+1] && charactersMeet(x[i], y[j])
			}
		}
	}
	return ok[0]
}

// charactersMeet tries the ends of every range, their neighbours, and a character
// that no pattern names: between two ends nothing changes.
func charactersMeet(a, b glob.Token) bool {
	try := func(r rune) bool { return isOne(a, r) && isOne(b, r) }
	for _, t := range []glob.Token{a, b} {
		for _, r := range t.Lit {
			if try(r) {
				return true
			}
		}
		for _, g := range t.Ranges {
			if try(g.Lo) || try(g.Hi) || try(g.Lo-1) || try(g.Hi+1) {
				return true
			}
		}
	}
	return try('\U0010fffd')
}

func isOne(t glob.Token, r rune) bool {
	switch t.Op {
	case glob.Literal:
		return t.Lit == string(r)
	case glob.Class:
		in := false
		for _, g := range t.Ranges {
			in = in || g.Lo <= r && r <= g.Hi
		}
		return in != t.Negate && r > 0 && r != '/'
	}
	return r > 0 && r != '/'
}

// pathCovered tells whether every path of a pattern matches another one. It never
// says so wrongly, and where both hold classes of characters it may not say so.
func pathCovered(p, by glob.Pattern) bool { return segmentsCovered(p.Segments, by.Segments) }

func segmentsCovered(p, by []glob.Segment) bool {
	ok := make([]bool, len(p)+1)
	for i := len(by); i >= 0; i-- {
		below := ok
		ok = make([]bool, len(p)+1)
		for j := len(p); j >= 0; j-- {
			switch {
			case i == len(by):
				ok[j] = j == len(p)
			case by[i].Deep:
				ok[j] = below[j] || j < len(p) && ok[j+1]
			case j < len(p) && !p[j].Deep:
				ok[j] = below[j+1] && segmentCovered(p[j], by[i])
			}
		}
	}
	return ok[0]
}

func segmentCovered(p, by glob.Segment) bool {
	if by.Whole() {
		return len(p.Tokens) > 0
	}
	if y, literal := by.Literal(); literal {
		x, both := p.Literal()
		return both && x == y
	}
	return tokensCovered(characters(p.Tokens), characters(by.Tokens))
}

func tokensCovered(p, by []glob.Token) bool {
	ok := make([]bool, len(p)+1)
	for i := len(by); i >= 0; i-- {
		below := ok
		ok = make([]bool, len(p)+1)
		for j := len(p); j >= 0; j-- {
			switch {
			case i == len(by):
				ok[j] = j == len(p)
			case by[i].Op == glob.Star:
				ok[j] = below[j] || j < len(p) && ok[j+1]
			case j < len(p) && p[j].Op != glob.Star:
				ok[j] = below[j+1] && characterCovered(p[j], by[i])
			}
		}
	}
	return ok[0]
}

func characterCovered(p, by glob.Token) bool {
	switch {
	case by.Op == glob.Any:
		return true
	case p.Op == glob.Literal:
		for _, r := range p.Lit {
			return isOne(by, r)
		}
	case p.Op == glob.Class && by.Op == glob.Class && !p.Negate && !by.Negate:
		for _, g := range p.Ranges {
			if !isOne(by, g.Lo) || !isOne(by, g.Hi) || !within(g, by.Ranges) {
				return false
			}
		}
		return true
	}
	return false
}

func within(g glob.Range, ranges []glob.Range) bool {
	for _, r := range ranges {
		if r.Lo <= g.Lo && g.Hi <= r.Hi {
			return true
		}
	}
	return false
}

// textCovered is pathCovered for patterns without segments.
func textCovered(p, by glob.Pattern) bool {
	return tokensCovered(characters(p.Segments[0].Tokens), characters(by.Segments[0].Tokens))
}

// hostCovered is pathCovered for hosts, in which a leading ** is one label or more.
func hostCovered(p, by glob.Pattern) bool {
	x, y := p.Segments, by.Segments
	deepY := len(y) > 0 && y[0].Deep
	switch {
	case len(x) == 0 || len(y) == 0:
		return false
	case deepY:
		n := len(y) - 1
		return len(x) > n && segmentsCovered(x[len(x)-n:], y[1:]) && !hasDeep(x[len(x)-n:])
	case x[0].Deep:
		return false
	}
	return len(x) == len(y) && segmentsCovered(x, y)
}

func hasDeep(segments []glob.Segment) bool {
	for _, s := range segments {
		if s.Deep {
			return true
		}
	}
	return false
}
