package analysis

import (
	"context"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// searchBudget bounds the states of the search for what tells a mutant apart.
const searchBudget = 100_000

// difference is what tells two policies apart for a test.
type difference struct {
	same, known bool
	// Example is a request, file operation or command that only one of the two
	// allows, as people write it, and Allow whether the first does; "" for none.
	example string
	allow   bool
}

// differ tells whether two policies decide every input alike. Whether a denial is
// enforced is not compared but by the modes themselves: a test judges the verdict
// also where audit mode lets everything pass. Where extensions may deny more it is
// not known whether two policies are the same.
func differ(ctx context.Context, before, after *plan.Policy, extended bool) (difference, error) {
	if !slices.Equal(modes(before), modes(after)) {
		return difference{known: true}, nil
	}
	r, err := diff.Policies(ctx, enforcing(before), enforcing(after), diff.Options{Budget: searchBudget, Extended: extended})
	if err != nil {
		return difference{}, err
	}
	d := difference{same: r.Verdict == diff.Equivalent, known: r.Verdict != diff.Unknown}
	for _, s := range r.Surfaces {
		for _, c := range s.Changes {
			if c.Example != "" && c.Address == "" && !c.Tunnel && d.example == "" {
				d.example, d.allow = c.Example, c.Before.Passes
			}
		}
	}
	return d, nil
}

// modes lists the modes of a policy and of its rules, which may be fewer or other
// rules.
func modes(p *plan.Policy) []string {
	out := []string{string(p.Mode)}
	for _, list := range [][]plan.NetworkRule{p.Network.Denied, p.Network.Outbound} {
		for _, r := range list {
			if r.Mode != p.Mode {
				out = append(out, r.ID+" "+string(r.Mode))
			}
		}
	}
	return out
}

// enforcing is the policy with every denial enforced.
func enforcing(p *plan.Policy) *plan.Policy {
	out := *p
	out.Mode = schemas.ModeEnforce
	out.Network.Denied, out.Network.Outbound = enforced(p.Network.Denied), enforced(p.Network.Outbound)
	return &out
}

func enforced(rules []plan.NetworkRule) []plan.NetworkRule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].Mode = schemas.ModeEnforce
	}
	return out
}
