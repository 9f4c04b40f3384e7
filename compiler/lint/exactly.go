package lint

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// budget bounds one search; what needs more is not reported.
const budget = 20_000

// space is the requests as the rules of one policy divide them, built when a
// question is asked that comparing two rules does not answer.
type space struct {
	requests *exact.Requests
	outbound []exact.Rule
	denied   []exact.Rule
}

// space of a policy whose every rule has a host.
func (p *policy) space() *space {
	if p.requests != nil {
		return p.requests
	}
	s := &space{requests: exact.NewRequests(budget)}
	for i := range p.plan.Network.Denied {
		s.denied = append(s.denied, s.requests.Deny(&p.plan.Network.Denied[i]))
	}
	for i := range p.plan.Network.Outbound {
		s.outbound = append(s.outbound, s.requests.Allow(&p.plan.Network.Outbound[i]))
	}
	p.requests = s
	return s
}

// union finds the fewest of some rules, by index in a list, that together take
// every request of a rule; nil if they do not, or it is not known.
func union(s *space, r exact.Rule, list []exact.Rule, candidates []int) []int {
	covered := func(some []int) bool {
		ids := make([]exact.Rule, len(some))
		for i, c := range some {
			ids[i] = list[c]
		}
		return s.requests.Covered(r, ids...).Verdict == exact.Yes
	}
	if len(candidates) == 0 || !covered(candidates) {
		return nil
	}
	for i := 0; i < len(candidates) && len(candidates) > 1; {
		without := slices.Delete(slices.Clone(candidates), i, i+1)
		if covered(without) {
			candidates = without
			continue
		}
		i++
	}
	return candidates
}

// sameDestination tells whether two rules take some of the same hosts, ports,
// schemes and methods.
func sameDestination(a, b *plan.NetworkRule) bool {
	return check.HostsMeet(a.Host, b.Host) && endpointsMeet(a, b) && namesMeet(a.Methods, b.Methods)
}

// mayShare is sameDestination for allow rules, which read paths in one way.
func mayShare(a, b *plan.NetworkRule) bool {
	return sameDestination(a, b) && globsMeet(a.Paths, b.Paths)
}

// worthAsking tells whether together some rules have the endpoints and the methods
// of another one, without which asking is vain.
func worthAsking(r *plan.NetworkRule, others []*plan.NetworkRule) bool {
	for _, e := range r.Endpoints {
		if !slices.ContainsFunc(others, func(o *plan.NetworkRule) bool {
			return slices.ContainsFunc(o.Endpoints, func(f plan.Endpoint) bool { return f.Scheme == e.Scheme && (o.AnyPort || f.Port == e.Port) })
		}) {
			return false
		}
	}
	if len(r.Methods) == 0 {
		return slices.ContainsFunc(others, func(o *plan.NetworkRule) bool { return len(o.Methods) == 0 })
	}
	for _, m := range r.Methods {
		if !slices.ContainsFunc(others, func(o *plan.NetworkRule) bool { return len(o.Methods) == 0 || slices.Contains(o.Methods, m) }) {
			return false
		}
	}
	return true
}

// pathUnion tells whether other globs together take every path of a glob, and not
// one of them alone. Only globs with a wildcard can be divided so.
func pathUnion(g glob.Pattern, others []glob.Pattern) bool {
	var some []glob.Pattern
	for _, o := range others {
		if pathsMeet(g, o) {
			some = append(some, o)
		}
	}
	if _, literal := g.Literal("/"); literal || len(some) < 2 {
		return false
	}
	answer, _ := exact.PathCovered(g, some...)
	return answer == exact.Yes
}

// commandUnion is pathUnion for allowed commands.
func commandUnion(c *plan.CommandRule, others []*plan.CommandRule) bool {
	var some []*plan.CommandRule
	for _, o := range others {
		if o.Program.Path == nil && c.Program.Path == nil && o.Program.Name == c.Program.Name {
			some = append(some, o)
		}
	}
	if len(some) < 2 {
		return false
	}
	answer, _ := exact.CommandCovered(c, some...)
	return answer == exact.Yes
}
