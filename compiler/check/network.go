package check

import (
	"cmp"
	"maps"
	"slices"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// rules resolves a list of allow or deny rules; the scope is the list.
func (s scope) rules(list []schemas.NetworkRule, allow bool) []plan.NetworkRule {
	rules := make([]plan.NetworkRule, 0, len(list))
	for i := range list {
		rules = append(rules, s.in(i).rule(&list[i], i, allow))
	}
	return rules
}

func (s scope) rule(r *schemas.NetworkRule, i int, allow bool) plan.NetworkRule {
	list := "denied"
	endpoints, anyPort := denyEndpoints(r)
	if allow {
		list = "outbound"
		endpoints, anyPort = allowEndpoints(r), false
	}
	out := plan.NetworkRule{
		Origin:       s.origin(list, i, r.Host),
		Host:         s.in("host").host(r.Host),
		Endpoints:    endpoints,
		AnyPort:      anyPort,
		Methods:      methods(r.Methods),
		Written:      r.Methods,
		Paths:        s.in("paths").globs("OSP2002", r.Paths, glob.URLPath),
		Query:        s.in("query").query(r.Query),
		WebSocket:    tristate(r.WebSocket),
		Passthrough:  r.TLS == schemas.TLSPassthrough,
		Binaries:     s.in("binaries").filePaths(r.Binaries),
		AllowPrivate: s.in("allow_private").prefixes(r.AllowPrivate),
		Mode:         r.Mode,
		EncodedSlash: r.EncodedSlash != "",
	}
	out.ID = cmp.Or(r.Name, out.ID)
	if out.Passthrough && r.Scheme == schemas.SchemeHTTP {
		s.in("scheme").report("OSP2007", "remove tls, or write scheme: https", "plain http has no TLS to pass through")
	}
	return out
}

// methods sorts, and adds HEAD where there is GET.
func methods(written []string) []string {
	if len(written) == 0 {
		return nil
	}
	out := slices.Clone(written)
	if slices.Contains(out, "GET") {
		out = append(out, "HEAD")
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func tristate(b *bool) plan.Tristate {
	switch {
	case b == nil:
		return plan.Unset
	case *b:
		return plan.True
	}
	return plan.False
}

// allowEndpoints: without ports, the default port of each scheme; with ports and
// no scheme, http on 80 and https on every other.
func allowEndpoints(r *schemas.NetworkRule) []plan.Endpoint {
	var out []plan.Endpoint
	if len(r.Ports) == 0 {
		for _, e := range []plan.Endpoint{{Scheme: "https", Port: 443}, {Scheme: "http", Port: 80}} {
			if r.Scheme == "" || r.Scheme == schemas.SchemeAny || string(r.Scheme) == e.Scheme {
				out = append(out, e)
			}
		}
		return out
	}
	for _, port := range sortedPorts(r.Ports) {
		scheme := r.Scheme
		if scheme == "" {
			scheme = schemas.SchemeHTTPS
			if port == 80 {
				scheme = schemas.SchemeHTTP
			}
		}
		out = append(out, pairs(scheme, port)...)
	}
	return out
}

// denyEndpoints: any scheme and every port unless given.
func denyEndpoints(r *schemas.NetworkRule) (out []plan.Endpoint, anyPort bool) {
	if len(r.Ports) == 0 {
		return pairs(r.Scheme, 0), true
	}
	for _, port := range sortedPorts(r.Ports) {
		out = append(out, pairs(r.Scheme, port)...)
	}
	return out, false
}

func pairs(scheme schemas.Scheme, port int) []plan.Endpoint {
	switch scheme {
	case schemas.SchemeHTTPS, schemas.SchemeHTTP:
		return []plan.Endpoint{{Scheme: string(scheme), Port: port}}
	}
	return []plan.Endpoint{{Scheme: "https", Port: port}, {Scheme: "http", Port: port}}
}

func sortedPorts(ports []int) []int {
	out := slices.Clone(ports)
	slices.Sort(out)
	return slices.Compact(out)
}

func (s scope) query(q map[string]schemas.QueryMatch) []plan.QueryKey {
	var out []plan.QueryKey
	for _, key := range slices.Sorted(maps.Keys(q)) {
		at := s.in(key)
		if long := at.in("match"); long.pos() != at.pos() {
			at = long
		}
		out = append(out, plan.QueryKey{
			Key: canon.Escape(key), Match: at.globs("OSP2004", q[key].Match, glob.Text), AbsentOK: q[key].Absent != "",
		})
	}
	return out
}

// globs parses a list of patterns; the scope is the list.
func (s scope) globs(code string, list []string, parse func(string) (glob.Pattern, error)) []glob.Pattern {
	var out []glob.Pattern
	for i, src := range list {
		if p, ok := s.in(i).glob(code, src, parse); ok {
			out = append(out, p)
		}
	}
	return out
}
