package oracle_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// answer is what a plain reading of the policy language says.
type answer struct {
	Allow bool
	Code  schemas.Code
	Rule  string
}

func allowed(rule string) answer { return answer{true, schemas.CodeAllowed, rule} }

func denied(code schemas.Code, rule string) answer { return answer{false, code, rule} }

// decide answers an input by the text of the policy.
func decide(p *schemas.SandboxPolicy, in *schemas.DecisionInput) answer {
	switch in.Kind {
	case schemas.KindNetwork:
		return decideNetwork(p.Spec.Network, in.Network)
	case schemas.KindFile:
		return decideFile(newFiles(p.Spec.Filesystem, in.Sandbox.Home), in.File)
	default:
		return decideExec(p.Spec.Execution, newFiles(p.Spec.Filesystem, in.Sandbox.Home), in.Exec)
	}
}

func ruleID(r *schemas.NetworkRule, list string, i int) string {
	if r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("%s[%d]", list, i)
}

func decideNetwork(n *schemas.Network, in *schemas.NetworkInput) answer {
	if n == nil {
		n = &schemas.Network{}
	}
	for i := range n.Denied {
		if denies(&n.Denied[i], in) {
			return denied(schemas.CodeDeniedRule, ruleID(&n.Denied[i], "denied", i))
		}
	}
	near, best := denied(schemas.CodeHostNotInPolicy, schemas.RuleDefault), 0
	for i := range n.Outbound {
		r := &n.Outbound[i]
		passed, code := allows(n, r, in)
		if code == "" {
			return allowed(ruleID(r, "outbound", i))
		}
		if passed > best {
			near, best = denied(code, ruleID(r, "outbound", i)), passed
		}
	}
	return near
}

// allows returns how many checks the request passes and the code of the first
// that it fails, "" for none.
func allows(n *schemas.Network, r *schemas.NetworkRule, in *schemas.NetworkInput) (int, schemas.Code) {
	slashed := strings.Contains(in.Path, "%2F") && r.EncodedSlash != "allow" && !indifferent(n, r, in.Host)
	for i, check := range []struct {
		code schemas.Code
		ok   bool
	}{
		{schemas.CodeHostNotInPolicy, matchHost(r.Host, in.Host)},
		{schemas.CodePortNotAllowed, len(schemes(r, in.Port)) > 0},
		{schemas.CodeSchemeNotAllowed, slices.Contains(schemes(r, in.Port), in.Scheme)},
		{schemas.CodeBinaryNotAllowed, r.Binaries == nil || in.Binary != "" && anyGlob(r.Binaries, in.Binary, matchFile)},
		{schemas.CodeMethodNotAllowed, allowsMethod(r.Methods, in.Method)},
		{schemas.CodePathNotAllowed, r.Paths == nil || anyGlob(r.Paths, in.Path, matchPath)},
		{schemas.CodeBadRequest, !slashed},
		{schemas.CodeQueryNotAllowed, allowsQuery(r.Query, in.Query)},
		{schemas.CodeWebSocketNotAllowed, !in.WebSocket || r.WebSocket != nil && *r.WebSocket},
	} {
		if !check.ok {
			return i, check.code
		}
	}
	return 9, ""
}

// indifferent tells whether no rule could tell an encoded slash from another
// character: neither this one nor a deny rule for the host looks at paths.
func indifferent(n *schemas.Network, r *schemas.NetworkRule, host string) bool {
	return r.Paths == nil && !slices.ContainsFunc(n.Denied, func(d schemas.NetworkRule) bool {
		return d.Paths != nil && matchHost(d.Host, host)
	})
}

func anyGlob(globs []string, s string, match func(glob, s string) bool) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return match(g, s) })
}

// schemes lists what an allow rule allows on a port.
func schemes(r *schemas.NetworkRule, port int) []string {
	usual := map[int]string{443: "https", 80: "http"}[port]
	switch {
	case r.Ports == nil:
		if usual == "" || r.Scheme != "" && r.Scheme != schemas.SchemeAny && string(r.Scheme) != usual {
			return nil
		}
		return []string{usual}
	case !slices.Contains(r.Ports, port):
		return nil
	case r.Scheme == schemas.SchemeAny:
		return []string{"http", "https"}
	case r.Scheme != "":
		return []string{string(r.Scheme)}
	case port == 80:
		return []string{"http"}
	}
	return []string{"https"}
}

func hasMethod(methods []string, method string) bool {
	return methods == nil || slices.Contains(methods, method) || method == "HEAD" && slices.Contains(methods, "GET")
}

func allowsMethod(methods []string, method string) bool {
	return method != "CONNECT" && method != "TRACE" && hasMethod(methods, method)
}

func allowsQuery(want map[string]schemas.QueryMatch, query map[string][]string) bool {
	for key, m := range want {
		values := query[key]
		if len(values) == 0 && m.Absent != "ok" {
			return false
		}
		for _, v := range values {
			if !anyGlob(m.Match, v, matchText) {
				return false
			}
		}
	}
	return true
}

func denies(r *schemas.NetworkRule, in *schemas.NetworkInput) bool {
	return matchHost(r.Host, in.Host) &&
		(r.Ports == nil || slices.Contains(r.Ports, in.Port)) &&
		(r.Scheme == "" || r.Scheme == schemas.SchemeAny || string(r.Scheme) == in.Scheme) &&
		(r.Binaries == nil || in.Binary == "" || anyGlob(r.Binaries, in.Binary, matchFile)) &&
		hasMethod(r.Methods, in.Method) &&
		(r.Paths == nil || anyGlob(r.Paths, in.Path, deniesPath)) &&
		deniesQuery(r.Query, in.Query) &&
		(r.WebSocket == nil || *r.WebSocket == in.WebSocket)
}

func deniesQuery(want map[string]schemas.QueryMatch, query map[string][]string) bool {
	for key, m := range want {
		values := query[key]
		if len(values) == 0 && m.Absent == "ok" {
			return false
		}
		if len(values) > 0 && !slices.ContainsFunc(values, func(v string) bool { return anyGlob(m.Match, v, matchText) }) {
			return false
		}
	}
	return true
}
