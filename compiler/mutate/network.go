package mutate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/openshell-policy/openshell/schemas"
)

// rulesOf returns one of the two lists of network rules.
func rulesOf(n *schemas.Network, list string) *[]schemas.NetworkRule {
	if list == "denied" {
		return &n.Denied
	}
	return &n.Outbound
}

func (g *generator) network() {
	n := g.doc.Policy.Spec.Network
	if n == nil {
		return
	}
	for i := range n.Outbound {
		g.networkRule("outbound", "denied", i, n.Outbound[i], len(n.Outbound))
	}
	for i := range n.Denied {
		g.networkRule("denied", "outbound", i, n.Denied[i], len(n.Denied))
	}
}

func (g *generator) networkRule(list, other string, i int, r schemas.NetworkRule, n int) {
	id := r.Name
	if id == "" {
		id = fmt.Sprintf("%s[%d]", list, i)
	}
	c := change{rule: id, kind: schemas.KindNetwork, at: []any{"spec", "network", list, i}}
	out := c
	out.op, out.ids = Drop, shifted(list, i, n)
	cut := func(s *schemas.Spec) { *rulesOf(s.Network, list) = slices.Delete(*rulesOf(s.Network, list), i, i+1) }
	out.do = cut
	g.add(out, "%s", r.Host)
	out.op = Move
	out.do = func(s *schemas.Spec) {
		cut(s)
		*rulesOf(s.Network, other) = append(*rulesOf(s.Network, other), moved(r))
	}
	g.add(out, "%s to %s", r.Host, other)
	g.fields(func(op Operator, do func(*schemas.NetworkRule), format string, args ...any) {
		c.op = op
		c.do = func(s *schemas.Spec) { do(&(*rulesOf(s.Network, list))[i]) }
		g.add(c, format, args...)
	}, r)
}

// moved leaves out what only an allow rule may have.
func moved(r schemas.NetworkRule) schemas.NetworkRule {
	r.AllowPrivate, r.TLS, r.EncodedSlash = nil, "", ""
	return r
}

// field makes a mutant by changing one field of a rule.
type field func(op Operator, do func(*schemas.NetworkRule), format string, args ...any)

func (g *generator) fields(add field, r schemas.NetworkRule) {
	hosts(add, r)
	methods(add, r)
	globs(add, r, "paths", r.Paths, func(r *schemas.NetworkRule) *[]string { return &r.Paths })
	globs(add, r, "binaries", r.Binaries, func(r *schemas.NetworkRule) *[]string { return &r.Binaries })
	ports(add, r)
	queries(add, r)
	switches(add, r)
}

func hosts(add field, r schemas.NetworkRule) {
	if wide, ok := widerHost(r.Host); ok {
		add(Widen, func(r *schemas.NetworkRule) { r.Host = wide }, "host: %s becomes %s", r.Host, wide)
	}
	if narrow, ok := narrowerHost(r.Host); ok {
		add(Narrow, func(r *schemas.NetworkRule) { r.Host = narrow }, "host: %s becomes %s", r.Host, narrow)
	}
}

// methods takes each method away and adds the most telling one that is missing.
// What adds it also stands for what adds all: whoever notices the one notices
// the other.
func methods(add field, r schemas.NetworkRule) {
	if len(r.Methods) == 0 {
		add(Narrow, func(r *schemas.NetworkRule) { r.Methods = []string{"GET"} }, "methods: any becomes GET")
		return
	}
	for _, m := range []string{"POST", "DELETE", "PUT", "PATCH", "GET"} {
		if !slices.Contains(r.Methods, m) {
			add(Widen, func(r *schemas.NetworkRule) { r.Methods = append(r.Methods, m) }, "methods: %s added", m)
			break
		}
	}
	if len(r.Methods) > 1 {
		for i, m := range r.Methods {
			add(Narrow, func(r *schemas.NetworkRule) { r.Methods = slices.Delete(r.Methods, i, i+1) }, "methods: %s taken away", m)
		}
	}
}

func globs(add field, r schemas.NetworkRule, name string, list []string, of func(*schemas.NetworkRule) *[]string) {
	if len(list) == 0 && name == "paths" && r.TLS != schemas.TLSPassthrough {
		add(Narrow, func(r *schemas.NetworkRule) { r.Paths = []string{"/*"} }, "paths: any becomes /*")
	}
	for i, p := range list {
		if wide, ok := widerPath(p); ok {
			add(Widen, func(r *schemas.NetworkRule) { (*of(r))[i] = wide }, "%s: %s becomes %s", name, p, wide)
		}
		if narrow, ok := narrowerPath(p); ok {
			add(Narrow, func(r *schemas.NetworkRule) { (*of(r))[i] = narrow }, "%s: %s becomes %s", name, p, narrow)
		}
		if len(list) > 1 {
			add(Narrow, func(r *schemas.NetworkRule) { *of(r) = slices.Delete(*of(r), i, i+1) }, "%s: %s taken away", name, p)
		}
	}
	if name == "binaries" && len(list) > 0 {
		add(Widen, func(r *schemas.NetworkRule) { r.Binaries = nil }, "binaries: any program")
	}
}

func ports(add field, r schemas.NetworkRule) {
	if len(r.Ports) > 0 {
		if next := slices.Max(r.Ports) + 1; next <= 65535 {
			add(Widen, func(r *schemas.NetworkRule) { r.Ports = append(r.Ports, next) }, "ports: %d added", next)
		}
	}
	if len(r.Ports) > 1 {
		for i, p := range r.Ports {
			add(Narrow, func(r *schemas.NetworkRule) { r.Ports = slices.Delete(r.Ports, i, i+1) }, "ports: %d taken away", p)
		}
	}
	switch r.Scheme {
	case schemas.SchemeHTTP, schemas.SchemeHTTPS:
		add(Widen, func(r *schemas.NetworkRule) { r.Scheme = schemas.SchemeAny }, "scheme: %s becomes any", r.Scheme)
	case schemas.SchemeAny:
		add(Narrow, func(r *schemas.NetworkRule) { r.Scheme = schemas.SchemeHTTPS }, "scheme: any becomes https")
	}
}

func queries(add field, r schemas.NetworkRule) {
	for _, key := range slices.Sorted(maps.Keys(r.Query)) {
		q := r.Query[key]
		add(Widen, func(r *schemas.NetworkRule) { delete(r.Query, key) }, "query: %s no longer asked for", key)
		if !slices.Contains(q.Match, "*") {
			add(Widen, func(r *schemas.NetworkRule) {
				r.Query[key] = schemas.QueryMatch{Match: []string{"*"}, Absent: q.Absent}
			}, "query: %s may be anything", key)
		}
		if len(q.Match) > 1 {
			for i, glob := range q.Match {
				add(Narrow, func(r *schemas.NetworkRule) {
					r.Query[key] = schemas.QueryMatch{Match: slices.Delete(slices.Clone(q.Match), i, i+1), Absent: q.Absent}
				}, "query: %s may no longer be %s", key, glob)
			}
		}
		absent, what := "ok", "ok"
		if q.Absent == "ok" {
			absent, what = "", "not ok"
		}
		add(Set, func(r *schemas.NetworkRule) { r.Query[key] = schemas.QueryMatch{Match: q.Match, Absent: absent} }, "query: %s absent is %s", key, what)
	}
}

// switches turns over what the rule says beside its patterns.
func switches(add field, r schemas.NetworkRule) {
	if r.WebSocket != nil {
		add(Set, func(r *schemas.NetworkRule) { r.WebSocket = nil }, "websocket: %t left out", *r.WebSocket)
	}
	if r.EncodedSlash != "" {
		add(Narrow, func(r *schemas.NetworkRule) { r.EncodedSlash = "" }, "encoded_slash: %s left out", r.EncodedSlash)
	}
	switch r.Mode {
	case schemas.ModeAudit:
		add(Set, func(r *schemas.NetworkRule) { r.Mode = schemas.ModeEnforce }, "mode: audit becomes enforce")
	case schemas.ModeEnforce:
		add(Set, func(r *schemas.NetworkRule) { r.Mode = schemas.ModeAudit }, "mode: enforce becomes audit")
	}
}
