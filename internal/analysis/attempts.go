package analysis

import (
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// attempts lists the rules that are tried for the input, in the order in which
// they decide.
func (x *explainer) attempts() []attempt {
	switch x.in.Kind {
	case schemas.KindNetwork:
		return x.networkAttempts()
	case schemas.KindFile:
		if x.in.File.Op == schemas.OpStat {
			return nil // always possible
		}
		return x.fileAttempts()
	}
	return x.commandAttempts()
}

func (x *explainer) networkAttempts() []attempt {
	var out []attempt
	for _, r := range x.plan.Network.Denied {
		out = append(out, attempt{r.Origin, true, x.denyChecks(r)})
	}
	for _, r := range x.plan.Network.Outbound {
		r.Mode = schemas.ModeEnforce
		p := x.bare()
		p.Network.Outbound = []plan.NetworkRule{r}
		p.Network.Denied = muted(x.plan.Network.Denied)
		out = append(out, attempt{r.Origin, false, []check1{{"", p}}})
	}
	return out
}

// muted are the deny rules that have paths, made to match nothing: whether an
// allow rule takes an encoded slash depends on there being any for the host.
func muted(rules []plan.NetworkRule) []plan.NetworkRule {
	out := keep(rules, func(r plan.NetworkRule) bool { return len(r.Paths) > 0 })
	for i := range out {
		out[i].Methods = []string{"-"} // no method
	}
	return out
}

// denyChecks builds up a deny rule check by check.
func (x *explainer) denyChecks(r plan.NetworkRule) []check1 {
	part := plan.NetworkRule{
		Origin: r.Origin, Host: r.Host, AnyPort: true, Mode: schemas.ModeEnforce,
		Endpoints: []plan.Endpoint{{Scheme: "https"}, {Scheme: "http"}},
	}
	var out []check1
	add := func(name string) {
		p := x.bare()
		p.Network.Denied = []plan.NetworkRule{part}
		out = append(out, check1{name, p})
	}
	add("host")
	part.AnyPort, part.Endpoints = r.AnyPort, r.Endpoints
	add("port or scheme")
	if len(r.Binaries) > 0 {
		part.Binaries = r.Binaries
		add("binary")
	}
	if len(r.Methods) > 0 {
		part.Methods, part.Written = r.Methods, r.Written
		add("method")
	}
	if len(r.Paths) > 0 {
		part.Paths = r.Paths
		add("path")
	}
	if len(r.Query) > 0 {
		part.Query = r.Query
		add("query")
	}
	if r.WebSocket != plan.Unset {
		part.WebSocket = r.WebSocket
		add("websocket")
	}
	return out
}

// bare is the policy without rules.
func (x *explainer) bare() *plan.Policy {
	return &plan.Policy{Name: x.plan.Name, Pos: x.plan.Pos, Mode: schemas.ModeEnforce, Exec: plan.Exec{Present: true, Restricted: true}}
}

func (x *explainer) fileAttempts() []attempt {
	var out []attempt
	f := &x.plan.File
	add := func(rules []plan.PathRule, deny bool, put func(*plan.File, []plan.PathRule)) {
		for i := 0; i < len(rules); {
			n := i + 1
			for ofTable(rules[i].ID) && rules[i].ID != schemas.RuleDefault && n < len(rules) {
				n++ // a table is one rule
			}
			p := x.bare()
			put(&p.File, rules[i:n])
			o := rules[i].Origin
			if n > i+1 {
				o.Text = "a table: openshell-policy explain " + o.ID
			}
			out = append(out, attempt{o, deny, []check1{{"path", p}}})
			i = n
		}
	}
	add(f.Blocked, true, func(f *plan.File, r []plan.PathRule) { f.Blocked = r })
	add(f.Sensitive, true, func(out *plan.File, r []plan.PathRule) { out.Sensitive, out.SensitiveHome = r, f.SensitiveHome })
	add(f.Readonly, false, func(f *plan.File, r []plan.PathRule) { f.Readonly = r })
	add(f.Writable, false, func(f *plan.File, r []plan.PathRule) { f.Writable = r })
	add(f.Baseline, false, func(f *plan.File, r []plan.PathRule) { f.Baseline = r })
	return out
}

func (x *explainer) commandAttempts() []attempt {
	var out []attempt
	add := func(o plan.Origin, deny bool, e plan.Exec) {
		p := x.bare()
		p.File, p.Exec = x.plan.File, e
		p.Exec.Present, p.Exec.Restricted = true, true
		if n := len(out); n > 0 && out[n-1].ID == o.ID {
			return // another command of a group
		}
		out = append(out, attempt{o, deny, []check1{{"program or arguments", p}}})
	}
	for _, r := range x.plan.Exec.Blocked {
		add(r.Origin, true, plan.Exec{Blocked: keep(x.plan.Exec.Blocked, func(o plan.PipelineRule) bool { return o.ID == r.ID })})
	}
	for _, r := range x.plan.Exec.Allowed {
		add(r.Origin, false, plan.Exec{Allowed: keep(x.plan.Exec.Allowed, func(o plan.CommandRule) bool { return o.ID == r.ID })})
	}
	return out
}
