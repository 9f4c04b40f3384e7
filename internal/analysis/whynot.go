package analysis

import (
	"context"
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego/variants"
	"github.com/openshell-policy/openshell/schemas"
)

// explain finds out why rules were not hit: each is asked the cases again, alone
// in a policy, and the rules for a host also with nothing but the host. A command
// that is allowed behind the first of its list counts as a hit.
func (c *coverer) explain(ctx context.Context, all []*written) error {
	byUse := map[*arena]map[string][]*solo{}
	for _, w := range all {
		if w.Hits > 0 {
			continue
		}
		w.Reason = w.unasked()
		for _, u := range w.in {
			if byUse[u.arena] == nil {
				byUse[u.arena] = map[string][]*solo{}
			}
			byUse[u.arena][u.policy] = append(byUse[u.arena][u.policy], &solo{written: w, use: u})
		}
	}
	for _, a := range c.arenas {
		for _, policy := range a.asked() {
			for batch := range slices.Chunk(byUse[a][policy], batchSize) {
				if err := a.explain(ctx, policy, batch); err != nil {
					return err
				}
			}
		}
	}
	for _, w := range all {
		if w.Hits > 0 {
			w.Reason = ""
		}
	}
	return nil
}

// unasked says what is missing before any case can reach the rule.
func (w *written) unasked() string {
	words := map[schemas.Kind]string{schemas.KindNetwork: "a request", schemas.KindFile: "a file", schemas.KindExec: "a command"}
	if len(w.in) == 0 {
		return "no case asks policy " + w.Policy
	}
	for _, u := range w.in {
		for _, one := range u.cases {
			if one.asks == u.policy && len(one.inputs) > 0 && one.inputs[0].Kind == w.kind {
				return ""
			}
		}
	}
	return fmt.Sprintf("no case asks policy %s about %s", w.Policy, words[w.kind])
}

// solo is a rule alone in a policy.
type solo struct {
	*written
	use
	whole, host string // the variants: the rule, and for a deny rule its host alone
}

func (a *arena) explain(ctx context.Context, policy string, batch []*solo) error {
	var vs []variants.Variant
	add := func(p *plan.Policy, name string) error {
		v, err := target{arena: a, policy: policy}.variant(p, name, "")
		vs = append(vs, v)
		return err
	}
	for i, s := range batch {
		s.whole = fmt.Sprintf("%s~%d", policy, i)
		p := alone(a.plans[policy], s.id)
		if err := add(p, s.whole); err != nil {
			return err
		}
		if s.kind == schemas.KindNetwork && s.deny {
			s.host = s.whole + "~host"
			if err := add(hostAlone(p), s.host); err != nil {
				return err
			}
		}
	}
	base, err := a.rules()
	if err != nil {
		return err
	}
	set, err := base.Compile(ctx, vs)
	if err != nil {
		return err
	}
	for _, s := range batch {
		if err := s.explain(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// alone leaves one rule of a policy. A rule for commands keeps the files, which
// say which programs can be trusted.
func alone(p *plan.Policy, id string) *plan.Policy {
	is := func(o plan.Origin) bool { return o.ID == id }
	out := &plan.Policy{Name: p.Name, Pos: p.Pos, Mode: schemas.ModeEnforce}
	out.Network.Outbound = keep(p.Network.Outbound, func(r plan.NetworkRule) bool { return is(r.Origin) })
	out.Network.Denied = keep(p.Network.Denied, func(r plan.NetworkRule) bool { return is(r.Origin) })
	path := func(r plan.PathRule) bool { return is(r.Origin) }
	out.File = plan.File{Blocked: keep(p.File.Blocked, path), Readonly: keep(p.File.Readonly, path), Writable: keep(p.File.Writable, path)}
	out.Exec = plan.Exec{
		Present: true, Restricted: true,
		Allowed: keep(p.Exec.Allowed, func(r plan.CommandRule) bool { return is(r.Origin) }),
		Blocked: keep(p.Exec.Blocked, func(r plan.PipelineRule) bool { return is(r.Origin) }),
	}
	if len(out.Exec.Allowed) > 0 || len(out.Exec.Blocked) > 0 {
		out.File = p.File
	}
	for i := range out.Network.Outbound {
		out.Network.Outbound[i].Mode = schemas.ModeEnforce
	}
	return out
}

func keep[T any](rules []T, want func(T) bool) []T {
	var out []T
	for _, r := range rules {
		if want(r) {
			out = append(out, r)
		}
	}
	return out
}

// hostAlone makes a deny rule match everything on its host.
func hostAlone(p *plan.Policy) *plan.Policy {
	out := *p
	r := p.Network.Denied[0]
	out.Network.Denied = []plan.NetworkRule{{
		Origin: r.Origin, Host: r.Host, AnyPort: true, Mode: r.Mode,
		Endpoints: []plan.Endpoint{{Scheme: "https"}, {Scheme: "http"}},
	}}
	return &out
}
