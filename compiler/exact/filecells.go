package exact

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// FileView is what the lists of one policy say about a path.
type FileView struct {
	Blocked   bool
	Sensitive bool
	// AtHome says that the path is sensitive if the sandbox's home is one of the
	// directories above it.
	AtHome                       bool
	Readonly, Writable, Baseline bool
}

// Barred tells whether no operation is possible, with the sandbox's home
// elsewhere.
func (v FileView) Barred() bool { return v.Blocked || v.Sensitive }

// Changeable tells whether the sandbox may write the file.
func (v FileView) Changeable() bool { return !v.Barred() && v.Writable && !v.Readonly }

// Readable tells whether the sandbox may read the file.
func (v FileView) Readable() bool { return !v.Barred() && (v.Writable || v.Readonly || v.Baseline) }

// FileCell is a class of paths that the lists of all policies treat alike.
type FileCell struct {
	Path    string // the shortest
	Unusual bool   // it is no text
	Views   []FileView
	// Also are the further patterns that match, ascending.
	Also []int
}

// the roles of lists, times four, plus the policies that have an entry as bits.
const (
	roleBlocked = iota
	roleSensitive
	roleAtHome
	roleReadonly
	roleWritable
	roleBaseline
	roles
)

const furtherID = roles * 4

// FileCells divides paths by the file lists of one or two policies and by further
// patterns, which add puts into the graph by id from 0. It returns whether these
// are all classes.
func FileCells(budget int, policies []*plan.File, add func(further func(id int) int, g *automata.Graph)) ([]FileCell, bool) {
	g := automata.NewGraph()
	for _, r := range fileRoles(policies) {
		g.FileTree(r.pattern, r.id)
	}
	if add != nil {
		add(func(id int) int { return furtherID + id }, g)
	}
	var out []FileCell
	whole := g.Explore(automata.Search{Domain: g.FilePaths(), Budget: budget, Found: func(c automata.Class) bool {
		out = append(out, fileCell(c, len(policies)))
		return true
	}})
	return out, whole
}

func fileCell(c automata.Class, policies int) FileCell {
	out := FileCell{Path: raw(c.Word), Unusual: c.Unusual, Views: make([]FileView, policies)}
	for _, id := range c.IDs {
		if id >= furtherID {
			out.Also = append(out.Also, id-furtherID)
			continue
		}
		for i := range out.Views {
			if id&(1<<i) != 0 {
				out.Views[i].mark(id / 4)
			}
		}
	}
	return out
}

func (v *FileView) mark(role int) {
	switch role {
	case roleBlocked:
		v.Blocked = true
	case roleSensitive:
		v.Sensitive = true
	case roleAtHome:
		v.AtHome = true
	case roleReadonly:
		v.Readonly = true
	case roleWritable:
		v.Writable = true
	case roleBaseline:
		v.Baseline = true
	}
}

type rolePattern struct {
	pattern glob.Pattern
	id      int
}

// fileRoles lists the entries of all lists, each once.
func fileRoles(policies []*plan.File) []rolePattern {
	type entry struct {
		role   int
		source string
	}
	at := map[entry]int{}
	var out []rolePattern
	put := func(policy, role int, p glob.Pattern) {
		e := entry{role, p.Source}
		i, known := at[e]
		if !known {
			i = len(out)
			at[e] = i
			out = append(out, rolePattern{p, role * 4})
		}
		out[i].id |= 1 << policy
	}
	for i, f := range policies {
		for role, list := range [][]plan.PathRule{f.Blocked, f.Sensitive, f.SensitiveHome, f.Readonly, f.Writable, f.Baseline} {
			for _, r := range list {
				put(i, role, rolled(role, r.Glob))
			}
		}
	}
	return out
}

// rolled is the pattern as its list reads it: what is blocked is so with all
// below it, and what is sensitive at home is so below any directory.
func rolled(role int, p glob.Pattern) glob.Pattern {
	switch role {
	case roleBlocked, roleSensitive:
		return AndBelow(p)
	case roleAtHome:
		home := []glob.Segment{{Tokens: []glob.Token{{Op: glob.Star}}}, {Deep: true}}
		p = AndBelow(p)
		p.Segments = append(home, p.Segments...)
	}
	return p
}

// AndBelow makes a pattern match everything below what it matches too.
func AndBelow(p glob.Pattern) glob.Pattern {
	if p.Segments[len(p.Segments)-1].Deep {
		return p
	}
	p.Segments = append(slices.Clone(p.Segments), glob.Segment{Deep: true})
	return p
}
