package lint

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// allowCovered tells whether every request that an allow rule matches is matched
// by another allow rule.
func allowCovered(p, by *plan.NetworkRule) bool {
	return hostCovered(p.Host, by.Host) && endpointsCovered(p, by) && namesCovered(p.Methods, by.Methods) &&
		globsCovered(p.Paths, by.Paths, pathCovered) && globsCovered(p.Binaries, by.Binaries, pathCovered) &&
		queryCovered(p.Query, by.Query) && (by.WebSocket == plan.True || p.WebSocket != plan.True) && slashCovered(p, by)
}

// slashCovered looks at paths with an encoded slash: a rule without paths takes
// them where no deny rule looks at paths, one with paths only if it says so.
func slashCovered(p, by *plan.NetworkRule) bool {
	return by.EncodedSlash || !p.EncodedSlash && (len(p.Paths) > 0 || len(by.Paths) == 0)
}

// denyCovered tells whether every request that a deny rule matches is matched by
// another deny rule.
func denyCovered(p, by *plan.NetworkRule) bool {
	return hostCovered(p.Host, by.Host) && endpointsCovered(p, by) && namesCovered(p.Methods, by.Methods) &&
		globsCovered(p.Paths, by.Paths, pathCovered) && globsCovered(p.Binaries, by.Binaries, pathCovered) &&
		len(by.Query) == 0 && (by.WebSocket == plan.Unset || by.WebSocket == p.WebSocket)
}

// overridden tells whether every request that an allow rule matches is matched by
// a deny rule.
func overridden(p, by *plan.NetworkRule) bool {
	upgrades := by.WebSocket == plan.Unset || by.WebSocket == plan.False && p.WebSocket != plan.True
	return hostCovered(p.Host, by.Host) && endpointsCovered(p, by) && namesCovered(p.Methods, by.Methods) &&
		globsCovered(p.Paths, by.Paths, pathCovered) && globsCovered(p.Binaries, by.Binaries, pathCovered) &&
		len(by.Query) == 0 && upgrades
}

func endpointsCovered(p, by *plan.NetworkRule) bool {
	for _, e := range p.Endpoints {
		ok := slices.ContainsFunc(by.Endpoints, func(f plan.Endpoint) bool {
			return e.Scheme == f.Scheme && (by.AnyPort || !p.AnyPort && e.Port == f.Port)
		})
		if !ok {
			return false
		}
	}
	return true
}

func endpointsMeet(a, b *plan.NetworkRule) bool {
	return slices.ContainsFunc(a.Endpoints, func(e plan.Endpoint) bool {
		return slices.ContainsFunc(b.Endpoints, func(f plan.Endpoint) bool {
			return e.Scheme == f.Scheme && (a.AnyPort || b.AnyPort || e.Port == f.Port)
		})
	})
}

// namesCovered compares lists in which none means every one.
func namesCovered(p, by []string) bool {
	if len(by) == 0 {
		return true
	}
	return len(p) > 0 && !slices.ContainsFunc(p, func(s string) bool { return !slices.Contains(by, s) })
}

func namesMeet(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func globsCovered(p, by []glob.Pattern, covered func(p, by glob.Pattern) bool) bool {
	if len(by) == 0 {
		return true
	}
	if len(p) == 0 {
		return slices.ContainsFunc(by, everyPath)
	}
	return !slices.ContainsFunc(p, func(x glob.Pattern) bool {
		return !slices.ContainsFunc(by, func(y glob.Pattern) bool { return covered(x, y) })
	})
}

func globsMeet(a, b []glob.Pattern) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(x glob.Pattern) bool {
		return slices.ContainsFunc(b, func(y glob.Pattern) bool { return pathsMeet(x, y) })
	})
}

// everyPath tells whether a pattern is /** or **.
func everyPath(p glob.Pattern) bool { return len(p.Segments) == 1 && p.Segments[0].Deep }

// queryCovered: what the other rule asks of a key, this one asks, too.
func queryCovered(p, by []plan.QueryKey) bool {
	for _, asked := range by {
		i := slices.IndexFunc(p, func(q plan.QueryKey) bool { return q.Key == asked.Key })
		if i < 0 || p[i].AbsentOK && !asked.AbsentOK || !globsCovered(p[i].Match, asked.Match, textCovered) {
			return false
		}
	}
	return true
}

// allows tells whether an allow rule takes some request that a service makes.
func allows(r *plan.NetworkRule, n *need, method string) bool {
	return check.HostsMeet(r.Host, n.host) && (len(r.Methods) == 0 || slices.Contains(r.Methods, method)) && globsMeet(r.Paths, n.paths)
}

// denies tells whether a deny rule takes every request that a service makes.
func denies(r *plan.NetworkRule, n *need, method string) bool {
	return hostCovered(n.host, r.Host) && (len(r.Methods) == 0 || slices.Contains(r.Methods, method)) &&
		globsCovered(n.paths, r.Paths, pathCovered) && r.WebSocket != plan.True && len(r.Binaries) == 0
}
