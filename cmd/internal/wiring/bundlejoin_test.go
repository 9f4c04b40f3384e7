package wiring_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// An agent's policy is bound beside another from the sources of a signed bundle, and
// the bundle's extensions hold for both; what the bundle does not hold is not taken
// from elsewhere.
func TestPoliciesOfABundleAreBoundTogether(t *testing.T) {
	key := signingKey(t)
	sources := []compiler.Source{
		{Name: "mine.yaml", Data: []byte(policy("mine", "{network: {outbound: [{host: a.example.com}]}}"))},
		{Name: "agent.yaml", Data: []byte(policy("agent-mine", "{network: {outbound: [{host: b.example.com}, {host: c.example.com}]}}"))},
		{Name: "x.rego", Data: []byte("package openshell.extension.x\n\ndeny contains {\"code\": \"no\", \"message\": \"no\"} if input.network.host == \"c.example.com\"\n")},
	}
	for name, kept := range map[string]bool{"with sources": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			r := policyset.Compile(sources, compiler.Options{Name: "team", Serial: 1, Sign: &key, KeepSources: kept})
			if r.Bundle == nil {
				t.Fatal(r.Diagnostics)
			}
			cfg := config(t)
			cfg.Bundle = gateway.BundleSource{File: filepath.Join(cfg.StateDir, "b.tar.gz"), Keys: []string{filepath.Join(cfg.StateDir, "team.pub")}}
			for file, data := range map[string][]byte{cfg.Bundle.File: r.Bundle, cfg.Bundle.Keys[0]: []byte(key.Public.PEM)} {
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := serving(t, cfg)
			if _, err := c.Create(t.Context(), adminapi.CreateSandbox{Policy: "mine", With: []string{"agent-claude"}}); err == nil {
				t.Error("a policy that the bundle does not hold was bound")
			}
			box, err := c.Create(t.Context(), adminapi.CreateSandbox{Policy: "mine", With: []string{"agent-mine"}})
			if (err == nil) != kept {
				t.Fatalf("bound: %v", err)
			}
			if !kept {
				return
			}
			for host, code := range map[string]string{
				"a.example.com": "allowed", "b.example.com": "allowed", "c.example.com": "ext_x_no", "d.example.com": "host_not_in_policy",
			} {
				d, err := c.Decide(t.Context(), adminapi.DecideRequest{Sandbox: box.ID, Request: &schemas.TestRequest{Method: "GET", URL: "https://" + host + "/"}})
				if err != nil || string(d.Code) != code || d.Revision != r.Revision {
					t.Errorf("%s: got %+v, %v", host, d, err)
				}
			}
		})
	}
}
