package exact

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// PathCovered tells whether the other globs together match every path of a file
// that the glob matches; if not, example is one that they do not.
func PathCovered(p glob.Pattern, others ...glob.Pattern) (answer Verdict, example string) {
	answer, word := covered(&files{append([]glob.Pattern{p}, others...)})
	return answer, raw(word)
}

// PathsIntersect tells whether a path of a file matches both globs; example is
// one.
func PathsIntersect(a, b glob.Pattern) (answer Verdict, example string) {
	answer, word := meet(&files{[]glob.Pattern{a, b}})
	return answer, raw(word)
}

// CommandCovered tells whether the other allowed patterns together match every
// argument list of the programs that the pattern names; if not, example is a
// command line that they do not. A name and a path of a program are never taken
// for the same.
func CommandCovered(r *plan.CommandRule, others ...*plan.CommandRule) (answer Verdict, example []string) {
	list, beyond := []*plan.CommandRule{r}, false
	for _, o := range others {
		switch programCovered(&r.Program, &o.Program) {
		case Yes:
			list = append(list, o)
		case Unknown:
			beyond = true
		}
	}
	answer, word := covered(&commands{list})
	if answer == No && beyond {
		answer = Unknown // together, they might
	}
	return answer, commandLine(&r.Program, word)
}

// CommandsIntersect tells whether an execution matches both allowed patterns.
func CommandsIntersect(a, b *plan.CommandRule) (answer Verdict, example []string) {
	programs := programsMeet(&a.Program, &b.Program)
	if programs == No {
		return No, nil
	}
	answer, word := meet(&commands{[]*plan.CommandRule{a, b}})
	if answer == Yes {
		answer = programs
	}
	return answer, commandLine(&a.Program, word)
}

// programCovered tells whether one program pattern names all that another names.
// A path named like a program is that program only where nobody can write it.
func programCovered(p, by *plan.Program) Verdict {
	switch {
	case p.Path == nil && by.Path == nil:
		return verdict(p.Name == by.Name)
	case p.Path != nil && by.Path != nil:
		v, _ := PathCovered(*p.Path, *by.Path)
		if v == No && programsMeet(p, by) != No {
			return Unknown
		}
		return v
	}
	if programsMeet(p, by) == No {
		return No
	}
	return Unknown
}

func programsMeet(a, b *plan.Program) Verdict {
	switch {
	case a.Path == nil && b.Path == nil:
		return verdict(a.Name == b.Name)
	case a.Path != nil && b.Path != nil:
		v, _ := PathsIntersect(*a.Path, *b.Path)
		return v
	}
	return Unknown
}

func verdict(yes bool) Verdict {
	if yes {
		return Yes
	}
	return No
}

// language is a list of patterns over one kind of strings.
type language interface {
	add(g *automata.Graph) (domain automata.Node)
	count() int
}

type files struct{ list []glob.Pattern }

func (f *files) count() int { return len(f.list) }

func (f *files) add(g *automata.Graph) automata.Node {
	for i, p := range f.list {
		g.FilePath(p, i)
	}
	return g.FilePaths()
}

type commands struct{ list []*plan.CommandRule }

func (c *commands) count() int { return len(c.list) }

func (c *commands) add(g *automata.Graph) automata.Node {
	for i, r := range c.list {
		g.Args(Args(r.Args), i)
	}
	return g.ArgLists()
}

// Args are the tokens of a command pattern for an automaton.
func Args(tokens []plan.ArgToken) []automata.Arg {
	out := make([]automata.Arg, len(tokens))
	for i, t := range tokens {
		out[i] = automata.Arg{Rest: t.Rest, Glob: t.Glob}
	}
	return out
}

// covered looks for a word that matches pattern 0 and no other.
func covered(l language) (Verdict, []rune) {
	found, v := search(l, func(ids []int) bool { return len(ids) == 1 })
	if v == Yes {
		return No, found
	}
	if v == No {
		return Yes, nil
	}
	return Unknown, nil
}

// meet looks for a word that matches all patterns.
func meet(l language) (Verdict, []rune) {
	found, v := search(l, func(ids []int) bool { return len(ids) == l.count() })
	return v, found
}

func search(l language, want func(ids []int) bool) (word []rune, found Verdict) {
	g := automata.NewGraph()
	domain := l.add(g)
	found = No
	whole := g.Explore(automata.Search{Domain: domain, Need: []int{0}, Budget: Limit, Found: func(c automata.Class) bool {
		if !slices.Contains(c.IDs, 0) || !want(c.IDs) {
			return true
		}
		word, found = c.Word, Yes
		if c.Unusual {
			found = Unknown
		}
		return c.Unusual
	}})
	if found == No && !whole {
		found = Unknown
	}
	return word, found
}

// commandLine puts a program and a word of arguments together.
func commandLine(p *plan.Program, word []rune) []string {
	name := p.Name
	if p.Path != nil {
		_, name = PathsIntersect(*p.Path, *p.Path)
	}
	return append([]string{name}, SplitArgs(word)...)
}

// SplitArgs cuts a word of arguments into the list.
func SplitArgs(word []rune) []string {
	out := []string{}
	start := 0
	for i, r := range word {
		if r == automata.ArgEnd {
			out, start = append(out, raw(word[start:i])), i+1
		}
	}
	return out
}

// SampleText returns the shortest text that a glob over text matches.
func SampleText(p glob.Pattern) (string, Verdict) {
	word, found := search(&texts{[]glob.Pattern{p}}, func([]int) bool { return true })
	return raw(word), found
}

// MatchesCommand tells whether an allowed pattern that names a program matches a
// command line.
func MatchesCommand(r *plan.CommandRule, words []string) bool {
	if r.Program.Path != nil || len(words) == 0 || canon.Family(words[0]) != r.Program.Name {
		return false
	}
	line := &plan.CommandRule{Program: r.Program}
	for _, w := range words[1:] {
		g := glob.Pattern{Source: w, Segments: []glob.Segment{{Tokens: []glob.Token{{Op: glob.Literal, Lit: canon.Escape(w)}}}}}
		line.Args = append(line.Args, plan.ArgToken{Glob: g})
	}
	v, _ := CommandCovered(line, r)
	return v == Yes
}
