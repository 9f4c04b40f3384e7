// Package globs follows the path globs of a policy segment by segment. Decisions
// are made by the bundle's Rego; this package answers what only concerns the
// kernel's side: where a glob's tree begins, and what moving a directory would
// change. It is pure.
package globs

import (
	"path"
	"slices"
	"strings"
)

// Glob is a path glob: absolute, or beginning with "**/".
type Glob struct {
	Source   string
	segments []segment
}

type segment struct {
	deep    bool // "**"
	literal bool
	text    string
}

// Parse reads a glob that the compiler has accepted.
func Parse(source string) Glob {
	g := Glob{Source: source}
	for s := range strings.SplitSeq(strings.TrimPrefix(source, "/"), "/") {
		switch {
		case s == "":
		case s == "**":
			g.segments = append(g.segments, segment{deep: true})
		case strings.ContainsAny(s, `*?[`) || strings.Contains(s, `\`):
			g.segments = append(g.segments, segment{text: strings.ReplaceAll(s, "[!", "[^")})
		default:
			g.segments = append(g.segments, segment{literal: true, text: s})
		}
	}
	return g
}

// ParseAll reads a list of globs.
func ParseAll(sources []string) []Glob {
	out := make([]Glob, len(sources))
	for i, s := range sources {
		out[i] = Parse(s)
	}
	return out
}

// Base is the path that a glob's literal segments name, "/" if there are none.
// exact says that the glob is that path, or it and everything below it; tree
// says the latter.
func (g Glob) Base() (base string, exact, tree bool) {
	i := 0
	base = "/"
	for i < len(g.segments) && g.segments[i].literal {
		base = path.Join(base, g.segments[i].text)
		i++
	}
	rest := g.segments[i:]
	switch {
	case len(rest) == 0:
		return base, true, false
	case len(rest) == 1 && rest[0].deep:
		return base, true, true
	}
	return base, false, true
}

// Floating tells whether the glob begins with "**", so that it matches at any
// depth.
func (g Glob) Floating() bool { return len(g.segments) > 0 && g.segments[0].deep }

// Tree tells whether the glob ends in "**", so that what it matches is whole
// trees.
func (g Glob) Tree() bool { return len(g.segments) > 0 && g.segments[len(g.segments)-1].deep }

func (s segment) matches(name string) bool {
	if s.literal {
		return s.text == name
	}
	if s.text == "*" {
		return name != ""
	}
	ok, err := path.Match(s.text, name)
	return err == nil && ok
}

// walk returns the set of positions in the glob that a path leads to. The last
// position is that of a match, of the path or of a directory above it.
func (g Glob) walk(file string) []bool {
	at := make([]bool, len(g.segments)+1)
	at[0] = true
	g.skip(at)
	for name := range strings.SplitSeq(strings.Trim(file, "/"), "/") {
		if name == "" {
			continue
		}
		next := make([]bool, len(at))
		next[len(at)-1] = at[len(at)-1]
		for i, s := range g.segments {
			switch {
			case !at[i]:
			case s.deep:
				next[i] = true
			case s.matches(name):
				next[i+1] = true
			}
		}
		g.skip(next)
		at = next
	}
	return at
}

// skip adds what "**" reaches by standing for nothing.
func (g Glob) skip(at []bool) {
	for i, s := range g.segments {
		if at[i] && s.deep {
			at[i+1] = true
		}
	}
}

// Covers tells whether the glob matches the path or a directory above it.
func (g Glob) Covers(file string) bool {
	at := g.walk(file)
	return at[len(at)-1]
}

// Below tells whether the glob could match something below a directory.
func (g Glob) Below(dir string) bool { return slices.Contains(g.walk(dir), true) }

// Same tells whether the glob matches the same names below two directories, so
// that moving one to the place of the other changes nothing. It may say false
// where it does.
func (g Glob) Same(dir, other string) bool { return slices.Equal(g.walk(dir), g.walk(other)) }
