//go:build linux

package wiring

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// SandboxPolicies gives the supervisor of a sandbox the policy that the gateway
// has it bound to, from the gateway's own bundle.
type SandboxPolicies struct {
	Admin *adminapi.Client
	ID    string

	mu     sync.Mutex
	engine *rego.Engine
	tag    string
}

// Current asks the gateway. Where it does not answer, the policy before stays.
func (p *SandboxPolicies) Current(ctx context.Context) (local.Policy, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	box, err := p.Admin.Get(ctx, p.ID)
	if err != nil {
		return local.Policy{}, err
	}
	if err := p.load(ctx); err != nil {
		return local.Policy{}, err
	}
	return policyOf(p.engine.Current(), box.Effective())
}

func (p *SandboxPolicies) load(ctx context.Context) error {
	bundle, tag, err := p.Admin.Bundle(ctx, gateway.BundleName, p.tag)
	if err != nil {
		return fmt.Errorf("policies of the gateway: %w", err)
	}
	if p.engine == nil {
		p.engine = rego.New(rego.Options{Lazy: true}) // the gateway took the bundle already
	}
	if bundle == nil {
		return nil
	}
	if _, err := p.engine.Load(bundle); err != nil {
		return fmt.Errorf("policies of the gateway: %w", err)
	}
	p.tag = tag
	return nil
}

// ceiling are the files of all policies that the gateway offers.
func ceiling(g *rego.Generation) []schemas.PolicyFiles {
	var all []schemas.PolicyFiles
	for _, p := range g.Policies() {
		if f, ok := g.Files(p.Name); ok {
			all = append(all, f.PolicyFiles)
		}
	}
	return all
}

// policyOf is a policy of a generation as a sandbox's supervisor needs it.
func policyOf(g *rego.Generation, name string) (local.Policy, error) {
	files, ok := g.Files(name)
	if !ok {
		return local.Policy{}, fmt.Errorf("policy %q is not in force", name)
	}
	i := slices.IndexFunc(g.Policies(), func(p rego.PolicyInfo) bool { return p.Name == name })
	destinations := g.Destinations(name)
	return local.Policy{
		Policy: shim.Policy{
			Decider: g, Name: name, Files: files.PolicyFiles, Pipes: files.Pipes,
			Audit: i >= 0 && g.Policies()[i].Mode == schemas.ModeAudit,
		},
		Names:   destinations.Names,
		Ports:   destinations.Ports(),
		Ceiling: ceiling(g),
	}, nil
}
