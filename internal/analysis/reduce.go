package analysis

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// noticing lists the cases that may be decided otherwise under a mutant, first
// those that its rule decides as it is. What a request is decided by are the
// rules for its host: a case for a host that neither the rule as it was nor the
// rule as it is matches cannot notice.
func (t target) noticing(m *mutate.Mutant, before, after *plan.Policy) []*testCase {
	var hosts []glob.Pattern
	if m.Kind == schemas.KindNetwork {
		hosts = changedHosts(m, before, after)
	}
	var first, rest []*testCase
	for _, c := range t.cases {
		switch {
		case c.asks != t.policy || len(c.inputs) == 0:
		case m.Kind != "" && !reaches(m.Kind, c.inputs[0].Kind):
		case m.Kind == schemas.KindNetwork && !asksOf(c, hosts):
		case c.Got.Rule == m.Rule || c.Got.Rule == m.Policy()+"/"+m.Rule:
			first = append(first, c)
		default:
			rest = append(rest, c)
		}
	}
	return append(first, rest...)
}

func reaches(from, to schemas.Kind) bool {
	for _, k := range reach(from) {
		if k == to {
			return true
		}
	}
	return false
}

// changedHosts are the hosts of the one rule that a mutant changes: as it was, and
// as it is, under its id or, moved to the other list, under a new one.
func changedHosts(m *mutate.Mutant, before, after *plan.Policy) []glob.Pattern {
	id := m.Rule
	if before.Name != m.Policy() {
		id = m.Policy() + "/" + id
	}
	known := map[string]bool{}
	var hosts []glob.Pattern
	for _, list := range [][]plan.NetworkRule{before.Network.Denied, before.Network.Outbound} {
		for _, r := range list {
			known[r.ID] = true
			if r.ID == id {
				hosts = append(hosts, r.Host)
			}
		}
	}
	for _, list := range [][]plan.NetworkRule{after.Network.Denied, after.Network.Outbound} {
		for _, r := range list {
			if r.ID == id || !known[r.ID] {
				hosts = append(hosts, r.Host)
			}
		}
	}
	return hosts
}

// asksOf tells whether a case asks about a host that one of the patterns may
// match.
func asksOf(c *testCase, hosts []glob.Pattern) bool {
	for _, in := range c.inputs {
		for _, h := range hosts {
			if in.Network != nil && mayMatch(h, in.Network.Host) {
				return true
			}
		}
	}
	return false
}

// reduced leaves out the network rules that no case asks of, so that a mutant of a
// large policy costs no more than one of a small one. A rule whose host does not
// match neither decides nor is a near miss.
func reduced(m *mutate.Mutant, p *plan.Policy, cases []*testCase) *plan.Policy {
	if m.Kind != schemas.KindNetwork {
		return p
	}
	asked := func(r plan.NetworkRule) bool {
		for _, c := range cases {
			if asksOf(c, []glob.Pattern{r.Host}) {
				return true
			}
		}
		return false
	}
	out := *p
	out.Network.Denied, out.Network.Outbound = keep(p.Network.Denied, asked), keep(p.Network.Outbound, asked)
	out.File, out.Exec = plan.File{}, plan.Exec{} // not asked
	return &out
}

// meeting leaves out of both policies the network rules whose hosts no host of the
// changed rule can be: they decide alike.
func meeting(m *mutate.Mutant, before, after *plan.Policy) (reducedBefore, reducedAfter *plan.Policy) {
	if m.Kind != schemas.KindNetwork {
		return before, after
	}
	hosts := changedHosts(m, before, after)
	met := func(r plan.NetworkRule) bool {
		return slices.ContainsFunc(hosts, func(h glob.Pattern) bool { return mayMeet(h, r.Host) })
	}
	reduce := func(p *plan.Policy) *plan.Policy {
		out := *p
		out.Network.Denied, out.Network.Outbound = keep(p.Network.Denied, met), keep(p.Network.Outbound, met)
		return &out
	}
	return reduce(before), reduce(after)
}

// mayMeet is false only where no host matches both patterns: where the literal
// tail of one is not the end of the other's.
func mayMeet(a, b glob.Pattern) bool {
	if lit, ok := a.Literal("."); ok {
		return mayMatch(b, lit)
	}
	if lit, ok := b.Literal("."); ok {
		return mayMatch(a, lit)
	}
	x, y := "."+literalTail(a), "."+literalTail(b)
	return strings.HasSuffix(x, y) || strings.HasSuffix(y, x)
}

// mayMatch is false only where the pattern certainly does not match: another
// literal host, or another literal tail.
func mayMatch(p glob.Pattern, host string) bool {
	if lit, ok := p.Literal("."); ok {
		return lit == host
	}
	tail := literalTail(p)
	return tail == "" || strings.HasSuffix(host, "."+tail)
}

// literalTail is what a pattern's hosts end in: its last labels that hold no
// wildcard.
func literalTail(p glob.Pattern) string {
	n := len(p.Segments)
	for n > 0 {
		if _, ok := p.Segments[n-1].Literal(); !ok {
			break
		}
		n--
	}
	tail, _ := glob.Pattern{Segments: p.Segments[n:]}.Literal(".")
	return tail
}
