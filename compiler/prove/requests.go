package prove

import (
	"context"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
)

// violation is an example that should refute a claim.
type violation struct {
	request *exact.Request
	valid   bool
}

// requests decides a claim over requests exactly.
func (pr *prover) requests(ctx context.Context, r *Result, list []*pattern) error {
	space := exact.NewRequests(pr.Budget)
	side := space.Policy(0, pr.policy)
	var ids []exact.Rule
	for _, p := range list {
		if r.Claim == Never {
			ids = append(ids, space.DenyOf(1, p.request))
		} else {
			ids = append(ids, space.AllowOf(1, p.request))
		}
	}
	classes, whole := space.Hosts()
	var found []violation
	for i := range classes {
		some, complete := pr.class(space, side, &classes[i], ids, r.Claim)
		found, whole = append(found, some...), whole && complete
	}
	slices.SortStableFunc(found, func(a, b violation) int { return a.weight() - b.weight() })
	if !whole {
		defer r.doubt("the rules make too many classes of requests to look at each")
	}
	for _, v := range found {
		if done, err := pr.tryRequest(ctx, r, v); done || err != nil {
			return err
		}
	}
	if len(found) > 0 {
		r.doubt("%s and the like are read in several ways by servers; no example shows whether they pass", found[0].request)
	}
	return nil
}

func (v violation) weight() int {
	w := v.request.Weight()
	if !v.valid {
		w += 1 << 21
	}
	return w
}

// class finds the violations in one class of hosts: one for each way in which the
// policy decides.
func (pr *prover) class(space *exact.Requests, side *exact.Side, class *exact.HostClass, ids []exact.Rule, claim string) (found []violation, whole bool) {
	ours := space.Places(class, ids)
	useful := ours.Meets
	switch {
	case claim == Only && side.Audits():
		useful = nil
	case claim == Only:
		useful = space.Allows(class, side).Meets
	case len(ours) == 0 || !ours.Any():
		return nil, true
	}
	type way struct {
		place int
		code  string
		odd   bool
	}
	best := map[way]violation{}
	whole = space.Cells(class, useful, func(c *exact.Cell) bool {
		o := c.Outcome(side)
		matched := c.Matched.Meets(ours)
		if matched == (claim == Only) || o.Passes == (claim == Always) {
			return true
		}
		v := violation{c.Request(), class.Valid}
		key := way{o.Place, string(o.Code), v.request.Unusual}
		if old, known := best[key]; !known || v.weight() < old.weight() {
			best[key] = v
		}
		return true
	})
	for _, v := range best {
		found = append(found, v)
	}
	slices.SortFunc(found, func(a, b violation) int { return a.weight() - b.weight() })
	return found, whole
}

// tryRequest lets the engine decide an example.
func (pr *prover) tryRequest(ctx context.Context, r *Result, v violation) (done bool, err error) {
	d, in, err := diff.DecideRequest(ctx, pr.Evaluator, pr.policy.Name, v.request)
	if err != nil && v.valid && !v.request.Unusual {
		return false, err
	}
	if err == nil && r.refute(&d, in, v.request.String()) {
		return true, nil
	}
	if v.valid && !v.request.Unusual && !pr.Extended {
		return false, r.mismatch(&d, v.request.String())
	}
	return false, ctx.Err()
}
