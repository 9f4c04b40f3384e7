package check

import (
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// passthroughConflicts finds passthrough rules whose destinations overlap with
// rules that need to see inside the connection.
func passthroughConflicts(p *plan.Policy) []diag.Diagnostic {
	var out []diag.Diagnostic
	for i := range p.Network.Outbound {
		t := &p.Network.Outbound[i]
		if !t.Passthrough {
			continue
		}
		for j := range p.Network.Outbound {
			if r := &p.Network.Outbound[j]; !r.Passthrough && meet(t, r) {
				out = append(out, conflict(t, r, "inspects"))
			}
		}
		for j := range p.Network.Denied {
			r := &p.Network.Denied[j]
			inside := len(r.Methods) > 0 || len(r.Paths) > 0 || len(r.Query) > 0 || r.WebSocket != plan.Unset
			if inside && meet(t, r) {
				out = append(out, conflict(t, r, "denies by what only inspection shows"))
			}
		}
	}
	return out
}

func conflict(t, r *plan.NetworkRule, why string) diag.Diagnostic {
	d := diag.New("OSP2007", t.Pos, fmt.Sprintf("%s passes %s through unread, but %s %s on the same host and port", t.ID, t.Text, r.ID, why), "inspect both, or give them different hosts or ports")
	d.Related = []diag.Related{{Pos: r.Pos, Message: r.ID + " stands here"}}
	return d
}

// meet tells whether some destination matches both rules.
func meet(a, b *plan.NetworkRule) bool {
	ports := slices.ContainsFunc(a.Endpoints, func(e plan.Endpoint) bool {
		return slices.ContainsFunc(b.Endpoints, func(f plan.Endpoint) bool {
			return e.Port == f.Port || b.AnyPort
		})
	})
	return ports && HostsMeet(a.Host, b.Host)
}
