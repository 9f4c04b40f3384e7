package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// fakeRule is a rule that a reader of a test can see through.
type fakeRule struct {
	rego.RuleInfo
	scheme string
	ports  []int
	paths  []string // prefixes
}

// fakeGen decides by exact hosts and path prefixes, in the order of design 4.
type fakeGen struct {
	number uint64
	rules  map[string][]fakeRule
	mode   schemas.Mode
	panics bool
}

// fakeEngine loads a bundle that is just a number, or refuses one that says
// "bad".
type fakeEngine struct {
	current atomic.Pointer[fakeGen]
	mu      sync.Mutex
	next    map[string]*fakeGen
}

func newFakeEngine(tlsPort, plainPort int) *fakeEngine {
	get := []string{"GET", "HEAD"}
	rule := func(id, host, scheme string, port int, methods []string, paths ...string) fakeRule {
		return fakeRule{
			RuleInfo: rego.RuleInfo{ID: id, Effect: "allow", Host: host, Methods: methods, File: "p.yaml", Line: 7, Mode: schemas.ModeEnforce},
			scheme:   scheme, ports: []int{port}, paths: paths,
		}
	}
	pass := rule("pass", "pass.test", "https", tlsPort, nil)
	pass.Passthrough = true
	ws := rule("ws", "ws.test", "https", tlsPort, get)
	ws.WebSocket = true
	literal := rule("literal", "10.9.8.6", "http", 80, nil)
	e := &fakeEngine{next: map[string]*fakeGen{}}
	e.next["1"] = &fakeGen{number: 1, mode: schemas.ModeEnforce, rules: map[string][]fakeRule{
		"p": {
			rule("outbound[0]", "api.test", "https", tlsPort, []string{"GET", "HEAD", "POST"}, "/repos", "/x", "/a", "/é"),
			rule("plain", "api.test", "http", plainPort, get),
			rule("metadata", "metadata.test", "https", tlsPort, get),
			rule("private", "private.test", "https", tlsPort, get),
			rule("selfhost", "127.0.0.1", "http", plainPort, get),
			literal, pass, ws,
		},
		"other": {rule("other", "evil.test", "https", tlsPort, nil)},
	}}
	e.current.Store(&fakeGen{})
	return e
}

func (e *fakeEngine) add(name string, g *fakeGen) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next[name] = g
}

func (e *fakeEngine) Load(bundle []byte) (gateway.Generation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, ok := e.next[string(bundle)]
	if !ok {
		return nil, errors.New("bundle does not verify")
	}
	e.current.Store(g)
	return g, nil
}

func (e *fakeEngine) Current() gateway.Generation { return e.current.Load() }

func (g *fakeGen) Number() uint64   { return g.number }
func (g *fakeGen) Revision() string { return fmt.Sprint("r", g.number) }
func (g *fakeGen) Policies() (out []rego.PolicyInfo) {
	for name, rules := range g.rules {
		out = append(out, rego.PolicyInfo{Name: name, Rules: len(rules), Mode: g.mode})
	}
	slices.SortFunc(out, func(a, b rego.PolicyInfo) int { return strings.Compare(a.Name, b.Name) })
	return out
}
func (g *fakeGen) Has(p string) bool { _, ok := g.rules[p]; return ok }

func (g *fakeGen) Decide(_ context.Context, in *schemas.DecisionInput) schemas.Decision {
	if g.panics {
		panic("the engine is broken")
	}
	d := schemas.Decision{Mode: g.mode, Policy: in.Policy, Revision: g.Revision(), Rule: "default", Code: schemas.CodeHostNotInPolicy, Message: in.Network.Host + " is not in policy"}
	if !g.Has(in.Policy) {
		d.Code, d.Message = schemas.CodeNoPolicy, "policy is not loaded"
		return d
	}
	best := 0
	for _, r := range g.rules[in.Policy] {
		code, rank := r.judge(in.Network)
		if rank > best {
			best = rank
			d.Code, d.Rule, d.Message = code, r.ID, fmt.Sprintf("%s of %s", code, r.ID)
			d.Source = &schemas.Source{File: r.File, Line: r.Line}
			d.Allow = code == schemas.CodeAllowed
		}
	}
	return d
}

func (r *fakeRule) judge(n *schemas.NetworkInput) (schemas.Code, int) {
	switch {
	case n.Host != r.Host:
		return schemas.CodeHostNotInPolicy, 0
	case !slices.Contains(r.ports, n.Port):
		return schemas.CodePortNotAllowed, 1
	case n.Scheme != r.scheme:
		return schemas.CodeSchemeNotAllowed, 2
	case r.Methods != nil && !slices.Contains(r.Methods, n.Method):
		return schemas.CodeMethodNotAllowed, 3
	case len(r.paths) > 0 && !hasPrefixAny(n.Path, r.paths...):
		return schemas.CodePathNotAllowed, 4
	case n.WebSocket && !r.WebSocket:
		return schemas.CodeWebSocketNotAllowed, 5
	}
	return schemas.CodeAllowed, 6
}

func (g *fakeGen) DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int) {
	var d schemas.Decision
	for i := range readings {
		in.Network = &readings[i]
		if d = g.Decide(ctx, &in); !d.Allow {
			return d, i
		}
	}
	return d, 0
}

func (g *fakeGen) Rule(policy, id string) (rego.RuleInfo, bool) {
	for _, r := range g.rules[policy] {
		if r.ID == id {
			return r.RuleInfo, true
		}
	}
	return rego.RuleInfo{}, false
}

func (g *fakeGen) Destinations(policy string) gateway.Destinations {
	return fakeDestinations(g.rules[policy])
}

type fakeDestinations []fakeRule

func (d fakeDestinations) Names(host string) bool {
	return slices.ContainsFunc(d, func(r fakeRule) bool { return r.Host == host })
}

func (d fakeDestinations) Port(port int) bool {
	return port == 443 || slices.ContainsFunc(d, func(r fakeRule) bool { return slices.Contains(r.ports, port) })
}

func (d fakeDestinations) Passthrough(host string, port int) (string, bool) {
	for _, r := range d {
		if r.Passthrough && r.Host == host && slices.Contains(r.ports, port) {
			return r.ID, true
		}
	}
	return "", false
}

// withPrivate returns the generation with consent to a private range on a rule.
func (g *fakeGen) withPrivate(policy, id, prefix string) *fakeGen {
	c := *g
	c.number++
	c.rules = map[string][]fakeRule{}
	for name, rules := range g.rules {
		c.rules[name] = slices.Clone(rules)
	}
	for i := range c.rules[policy] {
		if c.rules[policy][i].ID == id {
			c.rules[policy][i].AllowPrivate = []netip.Prefix{netip.MustParsePrefix(prefix)}
		}
	}
	return &c
}

// without returns the generation without a rule.
func (g *fakeGen) without(policy, id string) *fakeGen {
	c := *g
	c.number++
	c.rules = map[string][]fakeRule{}
	for name, rules := range g.rules {
		c.rules[name] = slices.DeleteFunc(slices.Clone(rules), func(r fakeRule) bool { return name == policy && r.ID == id })
	}
	return &c
}
