package gateway_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas"
)

const maskModule = `package system.log

mask contains {"op": "upsert", "path": "/input/network/path", "value": "hidden"} if contains(input.input.network.path, "payroll")
`

// TestMaskRules: what a rule of the bundle masks is neither recorded nor told, from
// the reload on that brought the rule.
func TestMaskRules(t *testing.T) {
	w := newWorld(t, func(cfg *gateway.Config, deps *gateway.Deps) { deps.Audit, cfg.Audit.Mode = nil, audit.Bounded })
	yaml := strings.Replace(w.policies.yaml(), "methods: [GET, POST],", `methods: [GET, POST], query: {page: {match: ["[0-9]"], absent: ok}},`, 1)
	r := policyset.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(yaml)}, {Name: "mask.rego", Data: []byte(maskModule)}}, compiler.Options{})
	if r.Bundle == nil {
		t.Fatalf("%v", r.Diagnostics)
	}
	w.compile.Store(r.Bundle)
	if changed, err := w.g.Reload(context.Background()); err != nil || !changed {
		t.Fatalf("reload: %v, %v", changed, err)
	}
	resp, body := w.inTunnel("GET", w.get("/nowhere/payroll?page=7"))
	if resp.StatusCode != 403 || strings.Contains(body, "payroll") || !strings.Contains(body, "hidden matches no path of outbound[0]") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, body := w.inTunnel("GET", w.get("/repos/payroll?page=7")); resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	log := w.cfg.AuditPath()
	w.wait(func() bool { return count(t, log) == 2 })
	for r, err := range audit.Records(log, audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Custom.Type != schemas.RecordDecision {
			continue
		}
		n := r.Input.Network
		if n.Path != "hidden" || n.Folded.Path != "hidden" || n.Segments[0] != "hidden" || len(r.Masked) == 0 {
			t.Errorf("recorded %+v, masked %q", n, r.Masked)
		}
		if got := n.Query["page"]; len(got) != 1 || got[0] != "7" {
			t.Errorf("a value that a rule names: %q", got)
		}
	}
}
