package gateway

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// joinedDir begins the file names of joined policies.
const joinedDir = "bound/"

// joins lists the policies that must be there joined: those of running sandboxes,
// and one that is about to be bound. Each is a policy and those beside it.
func (g *Gateway) joins() [][]string {
	all := [][]string{}
	add := func(policy string, with []string) {
		if len(with) > 0 {
			all = append(all, append([]string{policy}, with...))
		}
	}
	for _, s := range g.people.list(false) {
		add(s.Policy, s.With)
	}
	if p := g.pending.Load(); p != nil {
		all = append(all, *p)
	}
	slices.SortFunc(all, slices.Compare)
	return slices.CompactFunc(all, slices.Equal)
}

// join has the joined policy compiled, and calls fn while it is in force.
func (g *Gateway) join(ctx context.Context, policy string, with []string, fn func() error) error {
	name := schemas.JoinedName(policy, with)
	if len(with) == 0 || g.engine.Current().Has(name) {
		return fn()
	}
	g.joining.Lock()
	defer g.joining.Unlock()
	wanted := append([]string{policy}, with...)
	g.pending.Store(&wanted)
	defer g.pending.Store(nil)
	if _, err := g.Reload(ctx); err != nil {
		return err
	}
	if !g.engine.Current().Has(name) {
		return &adminapi.Error{
			Status: http.StatusUnprocessableEntity, Code: "invalid_policy",
			Message: fmt.Sprintf("policy %s cannot be bound with %q beside it", strconv.Quote(policy), with),
		}
	}
	return fn()
}
