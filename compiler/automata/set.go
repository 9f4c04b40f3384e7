package automata

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// Set is a set of symbols: ranges in order that neither overlap nor touch.
type Set []glob.Range

// Of returns the set of the symbols of all ranges.
func Of(ranges ...glob.Range) Set {
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b glob.Range) int { return int(a.Lo) - int(b.Lo) })
	var out Set
	for _, r := range sorted {
		switch n := len(out) - 1; {
		case r.Hi < r.Lo:
		case n >= 0 && r.Lo <= out[n].Hi+1:
			out[n].Hi = max(out[n].Hi, r.Hi)
		default:
			out = append(out, r)
		}
	}
	return out
}

// One returns the set of single symbols.
func One(symbols ...rune) Set {
	ranges := make([]glob.Range, len(symbols))
	for i, r := range symbols {
		ranges[i] = glob.Range{Lo: r, Hi: r}
	}
	return Of(ranges...)
}

// Union returns the symbols of either set.
func (s Set) Union(t Set) Set { return Of(append(slices.Clone(s), t...)...) }

// Minus returns the symbols of s that are not in t.
func (s Set) Minus(t Set) Set {
	out := slices.Clone(s)
	for _, cut := range t {
		var rest Set
		for _, r := range out {
			if cut.Hi < r.Lo || r.Hi < cut.Lo {
				rest = append(rest, r)
				continue
			}
			if r.Lo < cut.Lo {
				rest = append(rest, glob.Range{Lo: r.Lo, Hi: cut.Lo - 1})
			}
			if cut.Hi < r.Hi {
				rest = append(rest, glob.Range{Lo: cut.Hi + 1, Hi: r.Hi})
			}
		}
		out = rest
	}
	return out
}

// Intersect returns the symbols of both sets.
func (s Set) Intersect(t Set) Set { return s.Minus(s.Minus(t)) }

// Has tells whether a symbol is in the set.
func (s Set) Has(symbol rune) bool {
	return slices.ContainsFunc(s, func(r glob.Range) bool { return r.Lo <= symbol && symbol <= r.Hi })
}

// eitherCase adds the other case of the ASCII letters of a set.
func (s Set) eitherCase() Set {
	out := slices.Clone(s)
	for _, r := range s {
		for c := max(r.Lo, 'A'); c <= min(r.Hi, 'z'); c++ {
			if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
				out = append(out, glob.Range{Lo: c ^ 0x20, Hi: c ^ 0x20})
			}
		}
	}
	return Of(out...)
}

// friendly lists symbols in the order in which witnesses prefer them.
const friendly = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./~!$&'()+,=:@ *?[]<>{}|^\"#`%;\\"

// ranks is friendly by symbol.
var ranks = func() (out [0x80]int) {
	for i := range out {
		out[i] = 0x100 + i
	}
	for i, c := range friendly {
		out[c] = i
	}
	return out
}()

// rank orders symbols by how readable a witness they make.
func rank(symbol rune) int {
	if symbol < 0x80 {
		return ranks[symbol]
	}
	return int(symbol) + 0x200
}

// best returns the most readable symbol of a range.
func best(lo, hi rune) rune {
	if lo == hi {
		return lo
	}
	for _, c := range friendly {
		if lo <= c && c <= hi {
			return c
		}
	}
	return lo
}
