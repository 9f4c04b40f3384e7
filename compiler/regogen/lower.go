package regogen

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/glob"
)

// body is a conjunction of Rego expressions; several bodies are alternatives.
type body []string

// where names the fields of the input that hold the forms of one path.
type where struct {
	dialect
	path, dir, segments string
}

// shape is a path pattern as the rule index wants it: a kind that can be grouped
// with others of its kind, or expressions of its own.
type shape struct {
	kind shapeKind
	lit  string
	own  body
}

type shapeKind int

const (
	always   shapeKind = iota // any path
	equal                     // path == lit
	prefix                    // dir starts with lit
	suffix                    // path ends in lit
	contains                  // dir contains lit
	own                       // see shape.own
)

// paths lowers alternatives of path patterns to bodies, one for each kind.
func (w where) paths(patterns []glob.Pattern) []body {
	if len(patterns) == 0 {
		return []body{nil}
	}
	groups := map[shapeKind][]string{}
	var out []body
	for _, p := range patterns {
		s := w.shape(p)
		switch s.kind {
		case always:
			return []body{nil}
		case own:
			out = append(out, s.own)
		default:
			groups[s.kind] = append(groups[s.kind], s.lit)
		}
	}
	for _, lit := range groups[contains] {
		out = append(out, body{fmt.Sprintf("contains(%s, %s)", w.dir, quote(lit))})
	}
	out = appendGroup(out, groups[equal], func(l string) string { return w.path + " == " + l }, w.path+" in %s")
	out = appendGroup(out, groups[prefix], func(l string) string { return "startswith(" + w.dir + ", " + l + ")" }, "strings.any_prefix_match("+w.dir+", %s)")
	out = appendGroup(out, groups[suffix], func(l string) string { return "endswith(" + w.path + ", " + l + ")" }, "strings.any_suffix_match("+w.path+", %s)")
	return out
}

func appendGroup(out []body, lits []string, one func(string) string, many string) []body {
	switch len(lits) {
	case 0:
		return out
	case 1:
		return append(out, body{one(quote(lits[0]))})
	}
	return append(out, body{fmt.Sprintf(many, set(lits))})
}

// shape classifies one pattern. Segments [.., Deep] mean the base and all below.
func (w where) shape(p glob.Pattern) shape {
	segs := p.Segments
	last := len(segs) - 1
	if len(segs) == 1 && segs[0].Deep {
		return shape{kind: always}
	}
	trailing := segs[last].Deep
	inner := segs
	if trailing {
		inner = segs[:last]
	}
	if hasDeep(inner) {
		return w.deepShape(p, inner, trailing)
	}
	if lit, ok := w.joined(inner); ok && !emptyLast(inner, trailing) {
		if trailing {
			return shape{kind: prefix, lit: lit + "/"}
		}
		return shape{kind: equal, lit: lit}
	}
	if emptyLast(inner, trailing) {
		return w.regexShape(p)
	}
	if trailing {
		return shape{kind: own, own: w.below(inner)}
	}
	return shape{kind: own, own: w.array(segs)}
}

// emptyLast finds /a//**, whose base "/a/" is its own directory form.
func emptyLast(inner []glob.Segment, trailing bool) bool {
	if !trailing || len(inner) == 0 {
		return false
	}
	lit, ok := inner[len(inner)-1].Literal()
	return ok && lit == ""
}

func hasDeep(segs []glob.Segment) bool {
	for _, s := range segs {
		if s.Deep {
			return true
		}
	}
	return false
}

// deepShape lowers a pattern with "**" before its end.
func (w where) deepShape(p glob.Pattern, inner []glob.Segment, trailing bool) shape {
	rest := inner[1:]
	if !inner[0].Deep || hasDeep(rest) {
		return w.regexShape(p)
	}
	if lit, ok := w.joined(rest); ok && !emptyLast(rest, trailing) {
		if trailing {
			return shape{kind: contains, lit: lit + "/"}
		}
		return shape{kind: suffix, lit: lit}
	}
	if !trailing || len(rest) != 1 || len(rest[0].Tokens) != 2 {
		return w.regexShape(p)
	}
	// **/NAME*/** and **/*NAME/** need no regex: some segment begins or ends so.
	switch t := rest[0].Tokens; {
	case t[0].Op == glob.Literal && t[1].Op == glob.Star:
		return shape{kind: contains, lit: "/" + w.literal(t[0].Lit)}
	case t[0].Op == glob.Star && t[1].Op == glob.Literal && !w.splits(t, 0):
		return shape{kind: contains, lit: w.literal(t[1].Lit) + "/"}
	}
	return w.regexShape(p)
}

// joined returns "/a/b" for segments without wildcards.
func (w where) joined(segs []glob.Segment) (string, bool) {
	var b strings.Builder
	for _, s := range segs {
		lit, ok := s.Literal()
		if !ok {
			return "", false
		}
		b.WriteString("/" + w.literal(lit))
	}
	return b.String(), true
}

// regexShape is the exact check behind the longest literal guard there is.
func (w where) regexShape(p glob.Pattern) shape {
	exact := fmt.Sprintf("regex.match(%s, %s)", quote(w.regex(p)), w.path)
	n := 0
	for n < len(p.Segments)-1 {
		if _, ok := p.Segments[n].Literal(); !ok {
			break
		}
		n++
	}
	if lit, ok := w.joined(p.Segments[:n]); ok && lit != "" {
		return shape{kind: own, own: body{fmt.Sprintf("startswith(%s, %s)", w.dir, quote(lit+"/")), exact}}
	}
	if lit, ok := p.Segments[len(p.Segments)-1].Literal(); ok && lit != "" {
		return shape{kind: own, own: body{fmt.Sprintf("endswith(%s, %s)", w.path, quote("/"+w.literal(lit))), exact}}
	}
	return shape{kind: own, own: body{exact}}
}

// array matches a pattern without "**" against the list of segments.
func (w where) array(segs []glob.Segment) body {
	elems := make([]string, len(segs))
	var conds body
	for i, s := range segs {
		if lit, ok := s.Literal(); ok {
			elems[i] = quote(w.literal(lit))
			continue
		}
		elems[i] = "s" + strconv.Itoa(i)
		conds = append(conds, w.segmentConds(elems[i], s)...)
	}
	return append(body{fmt.Sprintf("%s = [%s]", w.segments, strings.Join(elems, ", "))}, conds...)
}

// below matches a prefix of the segments.
func (w where) below(inner []glob.Segment) body {
	var out body
	n := 0
	for n < len(inner) {
		if _, ok := inner[n].Literal(); !ok {
			break
		}
		n++
	}
	if lit, _ := w.joined(inner[:n]); lit != "" {
		out = append(out, fmt.Sprintf("startswith(%s, %s)", w.dir, quote(lit+"/")))
	}
	for i := n; i < len(inner); i++ {
		at := fmt.Sprintf("%s[%d]", w.segments, i)
		if lit, ok := inner[i].Literal(); ok {
			out = append(out, at+" == "+quote(w.literal(lit)))
			continue
		}
		out = append(out, w.segmentConds(at, inner[i])...)
	}
	return out
}

// segmentConds matches one segment with wildcards; at is a Rego term.
func (w where) segmentConds(at string, s glob.Segment) body {
	t := s.Tokens
	is := func(ops ...glob.Op) bool {
		if len(t) != len(ops) {
			return false
		}
		for i := range ops {
			if t[i].Op != ops[i] {
				return false
			}
		}
		return true
	}
	starts := func(i int) string { return fmt.Sprintf("startswith(%s, %s)", at, quote(w.literal(t[i].Lit))) }
	ends := func(i int) string { return fmt.Sprintf("endswith(%s, %s)", at, quote(w.literal(t[i].Lit))) }
	switch {
	case s.Whole():
		return body{at + ` != ""`}
	case is(glob.Literal, glob.Star):
		return body{starts(0)}
	case is(glob.Star, glob.Literal) && !w.splits(t, 0):
		return body{ends(1)}
	case is(glob.Literal, glob.Star, glob.Literal) && !w.splits(t, 1):
		n := utf8.RuneCountInString(t[0].Lit) + utf8.RuneCountInString(t[2].Lit)
		return body{starts(0), ends(2), fmt.Sprintf("count(%s) >= %d", at, n)}
	}
	one := glob.Pattern{Segments: []glob.Segment{s}}
	d := w.dialect
	re := strings.Replace(d.regex(one), "^/", "^", 1)
	return body{fmt.Sprintf("regex.match(%s, %s)", quote(re), at)}
}

// text lowers alternatives of text patterns over the Rego term at to one
// expression; "" means that any text matches.
func text(at string, patterns []glob.Pattern) string {
	var exact, starts []string
	for _, p := range patterns {
		t := p.Segments[0].Tokens
		if lit, ok := p.Literal(""); ok {
			exact = append(exact, lit)
			continue
		}
		if len(t) == 1 && t[0].Op == glob.Star {
			return ""
		}
		if len(t) == 2 && t[0].Op == glob.Literal && t[1].Op == glob.Star {
			starts = append(starts, t[0].Lit)
		}
	}
	switch len(patterns) {
	case len(exact):
		return at + " in " + set(exact)
	case len(starts):
		return fmt.Sprintf("strings.any_prefix_match(%s, %s)", at, set(starts))
	}
	return fmt.Sprintf("regex.match(%s, %s)", quote(dialect{}.alternation(patterns)), at)
}
