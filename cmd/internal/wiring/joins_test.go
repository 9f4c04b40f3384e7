package wiring_test

import (
	"context"
	"testing"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// A joined policy allows what either allows; a policy that is not there is left
// out and keeps nobody else from being served.
func TestJoinedPolicies(t *testing.T) {
	p := wiring.NewPolicies(nil, t.TempDir())
	p.Join([][]string{{"deny-all", "agent-claude"}, {"github-clone", "agent-codex"}, {"gone", "agent-claude"}})
	bundle, _, err := p.Compile(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	g, err := rego.New(rego.Options{}).Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		policy, method, url string
		want                bool
		rule                string
	}{
		{"deny-all.agent-claude.joined", "POST", "https://api.anthropic.com/v1/messages", true, "agent-claude/messages"},
		{"deny-all.agent-claude.joined", "GET", "https://github.com/org/app", false, "default"},
		{"deny-all", "POST", "https://api.anthropic.com/v1/messages", false, "default"},
		{"github-clone.agent-codex.joined", "GET", "https://github.com/org/app", true, "github-readonly/outbound[1]"},
		{"github-clone.agent-codex.joined", "POST", "https://github.com/org/app/git-receive-pack", false, "github-clone/no-push"},
		{"gone.agent-claude.joined", "POST", "https://api.anthropic.com/v1/messages", false, "default"},
	}
	for _, tt := range tests {
		req, err := canon.ParseRequest(tt.method, tt.url)
		if err != nil {
			t.Fatal(err)
		}
		c, err := canon.Network(req)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := g.DecideReadings(context.Background(), schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: tt.policy}, c.Readings)
		if d.Allow != tt.want || d.Rule != tt.rule {
			t.Errorf("%s: %s %s: allow %t by %q, want %t by %q", tt.policy, tt.method, tt.url, d.Allow, d.Rule, tt.want, tt.rule)
		}
	}
}
