package exact

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// choice is one class of one aspect of requests: the rules (by their place in the
// host class) whose condition on it holds, and what makes a request of it.
type choice struct {
	bits   Bits
	before Bits // of the endpoint: the port alone; of the path: an encoded slash
	fill   func(*Request)
	label  []int // of the path: what it matches
}

// aspects are the choices of one host class.
type aspects struct {
	rules                                              []rule
	endpoints, openers, methods, upgrades, query, path []choice
	pathIDs                                            [][]int // of the globs of each rule
	whole                                              bool    // nothing was left out
}

// distinct drops choices that no rule can tell from one before.
func distinct(in []choice) []choice {
	seen := map[string]bool{}
	out := in[:0]
	for _, c := range in {
		key := c.bits.key()
		if c.before != nil {
			key += c.before.key()
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out
}

func (s *Requests) aspects(class *HostClass) *aspects {
	a := &aspects{whole: true, rules: make([]rule, len(class.Rules))}
	for i, r := range class.Rules {
		a.rules[i] = s.rules[r]
	}
	a.endpoints, a.methods, a.upgrades = a.allEndpoints(), a.allMethods(), a.allUpgrades()
	a.openers, a.query, a.path = a.allOpeners(s.budget), a.allQueries(s.budget), a.allPaths(s)
	return a
}

// where collects the rules for which a condition holds.
func (a *aspects) where(holds func(r *rule) bool) Bits {
	b := newBits(len(a.rules))
	for i := range a.rules {
		if holds(&a.rules[i]) {
			b.set(i)
		}
	}
	return b
}

func (a *aspects) allEndpoints() []choice {
	ports := []int{443, 80}
	for i := range a.rules {
		for _, e := range a.rules[i].Endpoints {
			if e.Port != 0 && !slices.Contains(ports, e.Port) {
				ports = append(ports, e.Port)
			}
		}
	}
	slices.Sort(ports[2:])
	for _, other := range []int{8443, 8080, 9443, 8000} {
		if !slices.Contains(ports, other) {
			ports = append(ports, other)
			break
		}
	}
	list := []plan.Endpoint{{Scheme: "https", Port: 443}, {Scheme: "http", Port: 80}}
	for _, p := range append(ports[2:], 80, 443) {
		list = append(list, plan.Endpoint{Scheme: "https", Port: p}, plan.Endpoint{Scheme: "http", Port: p})
	}
	out := make([]choice, len(list))
	for i, e := range list {
		out[i] = choice{
			before: a.where(func(r *rule) bool { return r.onPort(e.Port) }),
			bits:   a.where(func(r *rule) bool { return r.onEndpoint(e) }),
			fill:   func(q *Request) { q.Scheme, q.Port = e.Scheme, e.Port },
		}
	}
	return distinct(out)
}

func (r *rule) onPort(port int) bool {
	return r.AnyPort || slices.ContainsFunc(r.Endpoints, func(e plan.Endpoint) bool { return e.Port == port })
}

func (r *rule) onEndpoint(e plan.Endpoint) bool {
	if r.AnyPort {
		e.Port = 0
	}
	return slices.Contains(r.Endpoints, e)
}

// usualMethods come first in examples.
var usualMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// neverMethods are refused before any rule is asked.
var neverMethods = []string{"CONNECT", "TRACE", "TRACK"}

func (a *aspects) allMethods() []choice {
	list := slices.Clone(usualMethods)
	for i := range a.rules {
		for _, m := range a.rules[i].Methods {
			if !slices.Contains(list, m) && !slices.Contains(neverMethods, m) {
				list = append(list, m)
			}
		}
	}
	slices.Sort(list[len(usualMethods):])
	other := "PROPFIND"
	for slices.Contains(list, other) {
		other += "X"
	}
	out := make([]choice, 0, len(list)+1)
	for _, m := range append(list, other) {
		out = append(out, choice{
			bits: a.where(func(r *rule) bool { return len(r.Methods) == 0 || slices.Contains(r.Methods, m) }),
			fill: func(q *Request) { q.Method = m },
		})
	}
	return distinct(out)
}

func (a *aspects) allUpgrades() []choice {
	out := make([]choice, 2)
	for i, upgrade := range []bool{false, true} {
		out[i] = choice{
			bits: a.where(func(r *rule) bool {
				if r.deny {
					return r.WebSocket == plan.Unset || (r.WebSocket == plan.True) == upgrade
				}
				return !upgrade || r.WebSocket == plan.True || r.Passthrough // which nobody sees
			}),
			fill: func(q *Request) { q.WebSocket = upgrade },
		}
	}
	return distinct(out)
}

// patterns gives the patterns of a list of rules ids, equal ones the same.
type patterns struct {
	ids  map[string]int
	list []glob.Pattern
}

func (p *patterns) id(g glob.Pattern) int {
	if p.ids == nil {
		p.ids = map[string]int{}
	}
	id, ok := p.ids[g.Source]
	if !ok {
		id = len(p.list)
		p.ids[g.Source] = id
		p.list = append(p.list, g)
	}
	return id
}

func (p *patterns) of(list []glob.Pattern) []int {
	out := make([]int, len(list))
	for i, g := range list {
		out[i] = p.id(g)
	}
	return out
}

func anyOf(ids, label []int) bool {
	return slices.ContainsFunc(ids, func(id int) bool {
		_, ok := slices.BinarySearch(label, id)
		return ok
	})
}

// program is a class of programs: the patterns that match them, and an example.
type program struct {
	label []int
	path  string
}

func (a *aspects) allOpeners(budget int) []choice {
	var known patterns
	ids := make([][]int, len(a.rules))
	for i := range a.rules {
		ids[i] = known.of(a.rules[i].Binaries)
	}
	if len(known.list) == 0 {
		return []choice{{bits: a.where(func(*rule) bool { return true }), fill: func(*Request) {}}}
	}
	programs := a.programs(&known, budget)
	out := []choice{a.opener(ids, program{}, nil)}
	for _, p := range programs {
		out = append(out, a.opener(ids, p, nil))
	}
	single := distinct(slices.Clone(out))
	for i, one := range programs {
		for _, p := range append([]program{{}}, programs...) {
			out = append(out, a.opener(ids, p, []program{one}))
			for _, two := range programs[i+1:] {
				if len(programs) <= 16 {
					out = append(out, a.opener(ids, p, []program{one, two}))
				}
			}
		}
	}
	if len(programs) > 16 {
		a.whole = a.whole && len(single) == len(distinct(slices.Clone(out)))
	}
	return distinct(out)
}

func (a *aspects) programs(known *patterns, budget int) []program {
	g := automata.NewGraph()
	for id, p := range known.list {
		g.FilePath(p, id)
	}
	var out []program
	whole := g.Explore(automata.Search{Domain: g.FilePaths(), Budget: budget, Found: func(c automata.Class) bool {
		out = append(out, program{c.IDs, raw(c.Word)})
		return true
	}})
	a.whole = a.whole && whole
	return out
}

// opener is a program with those that started it. A deny rule also matches by an
// ancestor, and where the program is not known.
func (a *aspects) opener(ids [][]int, p program, ancestors []program) choice {
	c := choice{bits: newBits(len(a.rules))}
	for i := range a.rules {
		matches := len(ids[i]) == 0 || p.path != "" && anyOf(ids[i], p.label)
		if a.rules[i].deny {
			matches = matches || p.path == "" ||
				slices.ContainsFunc(ancestors, func(o program) bool { return anyOf(ids[i], o.label) })
		}
		if matches {
			c.bits.set(i)
		}
	}
	c.fill = func(q *Request) {
		q.Binary, q.Ancestors = p.path, nil
		for _, o := range ancestors {
			q.Ancestors = append(q.Ancestors, o.path)
		}
	}
	return c
}

// allPaths divides paths by the globs of the rules: as written for allow rules,
// folded and split for deny rules.
func (a *aspects) allPaths(s *Requests) []choice {
	var allow, deny patterns
	ids := make([][]int, len(a.rules))
	for i := range a.rules {
		known := &allow
		if a.rules[i].deny {
			known = &deny
		}
		ids[i] = known.of(a.rules[i].Paths)
	}
	a.pathIDs = ids
	if len(allow.list)+len(deny.list) == 0 {
		all := a.where(func(*rule) bool { return true })
		return []choice{{bits: all, before: all, fill: func(q *Request) { q.Path = "/" }}}
	}
	first := 1 + len(allow.list)
	total := first + 2*len(deny.list)
	known := s.dividePaths(allow.list, deny.list)
	a.whole = a.whole && known.whole
	out := make([]choice, len(known.classes))
	for i, c := range known.classes {
		out[i] = a.pathChoice(c, ids, first, total)
	}
	return mergedPaths(out)
}

// dividePaths finds the classes of paths. Id 0 is an encoded slash, then come the
// globs of allow rules, then those of deny rules, folded and split.
func (s *Requests) dividePaths(allow, deny []glob.Pattern) divided {
	key := sources(allow) + "\x00" + sources(deny)
	if d, known := s.paths[key]; known {
		return d
	}
	g := automata.NewGraph()
	g.Holds(automata.EncodedSlash, 0)
	for i, p := range allow {
		g.URLPath(p, 1+i)
	}
	for i, p := range deny {
		g.DeniedPath(p, 1+len(allow)+2*i, 2+len(allow)+2*i)
	}
	var d divided
	d.whole = g.Explore(automata.Search{Domain: g.URLPaths(), Budget: s.budget, Found: func(c automata.Class) bool {
		d.classes = append(d.classes, c)
		return true
	}})
	s.paths[key] = d
	return d
}

func sources(list []glob.Pattern) string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Source
	}
	return strings.Join(out, "\x01")
}

// mergedPaths is distinct, and gathers what the paths of a class match.
func mergedPaths(in []choice) []choice {
	at := map[string]int{}
	var out []choice
	for _, c := range in {
		key := c.bits.key() + c.before.key()
		if k, known := at[key]; known {
			out[k].label = append(out[k].label, c.label...)
			continue
		}
		at[key] = len(out)
		c.label = slices.Clone(c.label)
		out = append(out, c)
	}
	return out
}

func (a *aspects) pathChoice(c automata.Class, ids [][]int, first, total int) choice {
	slashed := len(c.IDs) > 0 && c.IDs[0] == 0
	label := newBits(total)
	for _, id := range c.IDs {
		label.set(id)
	}
	out := choice{bits: newBits(len(a.rules)), before: newBits(len(a.rules)), label: c.IDs}
	path := urlPath(c.Word)
	out.fill = func(q *Request) { q.Path, q.Unusual = path, c.Unusual }
	for i := range a.rules {
		r := &a.rules[i]
		matches := len(ids[i]) == 0
		for _, id := range ids[i] {
			if r.deny {
				matches = matches || label.Has(first+2*id) || slashed && label.Has(first+2*id+1)
			} else {
				matches = matches || label.Has(1+id)
			}
		}
		if matches {
			out.bits.set(i)
		}
		if r.deny || !slashed || r.EncodedSlash || r.Passthrough || len(ids[i]) == 0 && !a.guarded(r.side) {
			out.before.set(i)
		}
	}
	return out
}

// guarded tells whether a deny rule of the policy looks at paths on these hosts.
func (a *aspects) guarded(side int) bool {
	return slices.ContainsFunc(a.rules, func(r rule) bool { return r.deny && r.side == side && len(r.Paths) > 0 })
}
