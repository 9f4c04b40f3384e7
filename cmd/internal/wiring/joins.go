package wiring

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
)

// Join says which policies the next Compile is to add: each a policy and those
// that are bound beside it.
func (p *Policies) Join(joins [][]string) { p.joins.Store(&joins) }

// joined writes the policies that were asked for, as far as what they join is
// there: one whose policy is gone decides nothing, and must not keep the others
// from being compiled.
func (p *Policies) joined(sources []compiler.Source) []compiler.Source {
	joins := p.joins.Load()
	if joins == nil {
		return nil
	}
	names := policies.Names()
	for _, s := range sources {
		names = append(names, policyNames(s.Name, s.Data)...)
	}
	var out []compiler.Source
	for _, j := range *joins {
		if !slices.ContainsFunc(j, func(name string) bool { return !slices.Contains(names, name) }) {
			out = append(out, policyset.Joined("bound", j[0], j[1:]))
		}
	}
	return out
}
