// Package check turns documents into plans: names are resolved, bases merged,
// patterns parsed once, and everything that can never work or would allow more
// than it shows is a diagnostic.
package check

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// Policies returns the plans of the policies among docs, in their order. Names
// in extends are looked for in docs, then in library. A policy with errors is
// left out.
func Policies(docs, library []*parse.Document) ([]*plan.Policy, []diag.Diagnostic) {
	c := &checker{set: map[string]*entry{}, library: map[string]*entry{}}
	own := c.collect(docs)
	for _, d := range library {
		if d.Policy != nil {
			c.library[d.Policy.Metadata.Name] = &entry{doc: d}
		}
	}
	var plans []*plan.Policy
	for _, e := range own {
		if p := c.plan(e); p != nil {
			plans = append(plans, p)
		}
	}
	return plans, c.ds
}

type checker struct {
	set, library map[string]*entry
	lenient      bool // a glob that does not parse is kept as text
	ds           []diag.Diagnostic
}

// entry is one policy document with its own rules, resolved once whoever
// extends it.
type entry struct {
	doc      *parse.Document
	resolved *resolved
}

func (e *entry) name() string { return e.doc.Policy.Metadata.Name }

// resolved holds the rules that a document itself states, with local ids.
type resolved struct {
	ok      bool // no error among them
	network plan.Network
	file    plan.File
	exec    plan.Exec
}

func (c *checker) report(d diag.Diagnostic) { c.ds = append(c.ds, d) }

func (c *checker) collect(docs []*parse.Document) []*entry {
	var own []*entry
	for _, d := range docs {
		if d.Policy == nil {
			continue
		}
		name := d.Policy.Metadata.Name
		if first := c.set[name]; first != nil {
			found := diag.New("OSP2005", d.Pos("metadata", "name"), fmt.Sprintf("two policies are named %s", name), "rename one of them")
			found.Related = []diag.Related{{Pos: first.doc.Pos("metadata", "name"), Message: "the other"}}
			c.report(found)
			continue
		}
		e := &entry{doc: d}
		c.set[name] = e
		own = append(own, e)
	}
	return own
}

// plan merges a policy with its bases.
func (c *checker) plan(e *entry) *plan.Policy {
	lineage, ok := c.lineage(e)
	for _, part := range lineage {
		if part.resolved == nil {
			part.resolved = c.resolve(part.doc)
		}
		ok = ok && part.resolved.ok
	}
	if !ok {
		return nil
	}
	meta := e.doc.Policy.Metadata
	p := &plan.Policy{
		Name: meta.Name, Labels: meta.Labels, Annotations: meta.Annotations,
		Pos: e.doc.Pos("metadata", "name"), Mode: mode(c, e),
	}
	for _, part := range lineage {
		prefix := ""
		if part != e {
			prefix = part.name() + "/"
		}
		merge(p, part.resolved, prefix)
	}
	c.settle(p, e, lineage)
	if found := passthroughConflicts(p); len(found) > 0 {
		c.ds = append(c.ds, found...)
		return nil
	}
	return p
}

// lineage lists a policy and its bases: itself, then each base with its own
// bases in the order of extends, every policy once.
func (c *checker) lineage(e *entry) ([]*entry, bool) {
	var out []*entry
	ok := true
	var visit func(part *entry, above []*entry)
	visit = func(part *entry, above []*entry) {
		if slices.Contains(out, part) {
			return
		}
		out = append(out, part)
		above = append(slices.Clone(above), part)
		for i, name := range part.doc.Policy.Spec.Extends {
			base, found := c.base(part, name, i)
			switch {
			case !found:
				ok = false
			case slices.Contains(above, base):
				ok = false
				c.cycle(e, part, above, base, i)
			default:
				visit(base, above)
			}
		}
	}
	visit(e, nil)
	return out, ok
}

// cycle is reported for the policy that closes it, once.
func (c *checker) cycle(e, part *entry, above []*entry, base *entry, i int) {
	if part != e && base != e {
		return // e only leads to the circle
	}
	names := make([]string, 0, len(above)+1)
	for _, a := range above[slices.Index(above, base):] {
		names = append(names, a.name())
	}
	names = append(names, base.name())
	c.report(diag.New("OSP2006", part.doc.Pos("spec", "extends", i), "the policies extend each other in a circle: "+strings.Join(names, " -> "), "remove one of the extends"))
}

func (c *checker) base(part *entry, name string, i int) (*entry, bool) {
	own, shared := c.set[name], c.library[name]
	at := part.doc.Pos("spec", "extends", i)
	switch {
	case own != nil && shared != nil && own != part && !reflect.DeepEqual(own.doc.Policy, shared.doc.Policy):
		d := diag.New("OSP2006", at, fmt.Sprintf("%s is both a policy of this set and of the library, and they differ", name), "rename yours")
		d.Related = []diag.Related{{Pos: own.doc.Pos("metadata", "name"), Message: "the policy of this set"}}
		c.report(d)
		return nil, false
	case own != nil:
		return own, true
	case shared != nil:
		return shared, true
	}
	known := slices.Sorted(maps.Keys(c.set))
	known = append(known, slices.Sorted(maps.Keys(c.library))...)
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(n string) bool { return n == part.name() })
	hint := "known: " + strings.Join(known, ", ")
	if len(known) == 0 {
		hint = "compile it together with this one"
	} else if best := parse.Closest(name, known); best != "" {
		hint = fmt.Sprintf("did you mean %s? %s", best, hint)
	}
	c.report(diag.New("OSP2006", at, fmt.Sprintf("no policy is named %s", name), hint))
	return nil, false
}

// resolve parses everything that one document states.
func (c *checker) resolve(d *parse.Document) *resolved {
	before := len(c.ds)
	r := &resolved{}
	c.names(d)
	r.network = c.network(d)
	r.file = c.file(d)
	r.exec = c.exec(d)
	r.ok = !diag.HasErrors(c.ds[before:])
	return r
}

// names holds rule names apart: each is unique over both lists.
func (c *checker) names(d *parse.Document) {
	if d.Policy.Spec.Network == nil {
		return
	}
	first := map[string]diag.Position{}
	see := func(name, list string, i int) {
		if name == "" {
			return
		}
		at := d.Pos("spec", "network", list, i, "name")
		if before, ok := first[name]; ok {
			found := diag.New("OSP2005", at, fmt.Sprintf("two rules are named %s", name), "rename one of them")
			found.Related = []diag.Related{{Pos: before, Message: "the other"}}
			c.report(found)
			return
		}
		first[name] = at
	}
	for i, r := range d.Policy.Spec.Network.Denied {
		see(r.Name, "denied", i)
	}
	for i, r := range d.Policy.Spec.Network.Outbound {
		see(r.Name, "outbound", i)
	}
}
