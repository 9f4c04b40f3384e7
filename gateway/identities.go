package gateway

import (
	"net/netip"

	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Identities knows sandboxes that nobody made through the admin API, such as the
// Pods of a cluster. Every method is called for each request and must answer from
// memory; all may be called at once. An id has the form sb-a1b2c3. Whoever keeps
// them calls Gateway.SandboxEnded and Gateway.SandboxChanged.
type Identities interface {
	// Running returns the sandbox with exactly this id while it runs.
	Running(id string) (adminapi.Sandbox, bool)
	// Authenticate returns the running sandbox with this id, with or without
	// "sb-", whose token this is. With the id "", a bearer token's, the token
	// alone says whose it is. Tokens are compared in constant time.
	Authenticate(id, token string) (adminapi.Sandbox, bool)
	// At returns the running sandbox that an address belongs to; the address is
	// unmapped and has no zone.
	At(addr netip.Addr) (adminapi.Sandbox, bool)
	// List returns the running sandboxes.
	List() []adminapi.Sandbox
}

// SandboxEnded closes every connection of a sandbox of Deps.Identities that runs
// no longer.
func (g *Gateway) SandboxEnded(id string) {
	g.conns.closeSandbox(id)
	g.metrics.gone(id)
	g.policyChange.tell()
}

// SandboxChanged has what is held open decided again, and tells the shims that
// wait: a sandbox of Deps.Identities is bound to other policies now.
func (g *Gateway) SandboxChanged() {
	g.held.decideAgain(g.engine.Current())
	g.policyChange.tell()
}

// population is every sandbox that there is: those of the registry, and those of
// Deps.Identities. An id that both know is the registry's.
type population struct {
	registry *sandboxes.Registry
	others   Identities // or nil
	sources  Sources    // or nil
}

func (p *population) running(id string) (adminapi.Sandbox, bool) {
	if s, ok := p.registry.Running(id); ok || p.others == nil {
		return s, ok
	}
	return p.others.Running(id)
}

func (p *population) authenticate(id, token string) (adminapi.Sandbox, bool) {
	if s, ok := p.registry.Authenticate(id, token); ok || p.others == nil {
		return s, ok
	}
	return p.others.Authenticate(id, token)
}

// at returns the sandbox at an address; known tells that the address is
// somebody's, even if it runs no longer.
func (p *population) at(addr netip.Addr) (s adminapi.Sandbox, running, known bool) {
	if p.sources != nil {
		if id, ok := p.sources.Sandbox(addr); ok {
			s, running = p.running(id)
			return s, running, true
		}
	}
	if p.others != nil {
		s, running = p.others.At(addr)
	}
	return s, running, running
}

// find returns a sandbox by a reference that a person gave, ended or not.
func (p *population) find(ref string) (adminapi.Sandbox, error) {
	s, err := p.registry.Find(ref)
	if err != nil && p.others != nil {
		if s, ok := p.others.Running(ref); ok {
			return s, nil
		}
	}
	return s, err
}

// list returns the running sandboxes, or all that the registry knows.
func (p *population) list(all bool) []adminapi.Sandbox {
	out := p.registry.List(all)
	if p.others != nil {
		out = append(out, p.others.List()...)
	}
	return out
}
