package gateway_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// testRule is one entry of outbound.
type testRule struct {
	id, host, scheme string
	port             int
	more             string // further fields, YAML's flow style
}

// testPolicies are the two policies that the tests run under, p and other.
type testPolicies struct {
	mode   schemas.Mode
	rules  []testRule
	denied []string // entries of denied, YAML's flow style
	raw    string   // instead of all others
}

func defaultPolicies(tlsPort, plainPort int) testPolicies {
	return testPolicies{rules: []testRule{
		{"outbound[0]", "api.test", "https", tlsPort, `methods: [GET, POST], paths: ["/repos/**", "/x/**", "/a/**", "/é/**"]`},
		{"plain", "api.test", "http", plainPort, `methods: [GET]`},
		{"metadata", "metadata.test", "https", tlsPort, `methods: [GET]`},
		{"private", "private.test", "https", tlsPort, `methods: [GET]`},
		{"selfhost", "127.0.0.1", "http", plainPort, `methods: [GET]`},
		{"literal", "10.9.8.6", "http", 80, ""},
		{"pass", "pass.test", "https", tlsPort, `tls: passthrough`},
		{"ws", "ws.test", "https", tlsPort, `methods: [GET], websocket: true`},
	}}
}

// without returns the policies without a rule of p.
func (p testPolicies) without(ids ...string) testPolicies {
	p.rules = slices.DeleteFunc(slices.Clone(p.rules), func(r testRule) bool { return slices.Contains(ids, r.id) })
	return p
}

// change returns the policies with one rule of p edited.
func (p testPolicies) change(id string, edit func(*testRule)) testPolicies {
	p.rules = slices.Clone(p.rules)
	i := slices.IndexFunc(p.rules, func(r testRule) bool { return r.id == id })
	edit(&p.rules[i])
	return p
}

// with returns the policies with one more rule of p.
func (p testPolicies) with(r testRule) testPolicies {
	p.rules = append(slices.Clone(p.rules), r)
	return p
}

func (p testPolicies) yaml() string {
	if p.raw != "" {
		return p.raw
	}
	var b strings.Builder
	b.WriteString("apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec:\n")
	if p.mode != "" {
		fmt.Fprintf(&b, "  mode: %s\n", p.mode)
	}
	b.WriteString("  network:\n    outbound:\n")
	for _, r := range p.rules {
		name, more := "name: "+r.id+", ", ""
		if strings.HasPrefix(r.id, "outbound[") {
			name = ""
		}
		if r.more != "" {
			more = ", " + r.more
		}
		fmt.Fprintf(&b, "      - {%shost: %q, scheme: %s, ports: [%d]%s}\n", name, r.host, r.scheme, r.port, more)
	}
	if len(p.rules) == 0 {
		b.WriteString("      []\n")
	}
	if len(p.denied) > 0 {
		b.WriteString("    denied:\n      - " + strings.Join(p.denied, "\n      - ") + "\n")
	}
	b.WriteString("---\napiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: other}\n")
	b.WriteString("spec:\n  network:\n    outbound:\n      - {name: other, host: evil.test, scheme: any, ports: [443, 8443]}\n")
	return b.String()
}

// bundle compiles the policies as the product does.
func (p testPolicies) bundle(tb testing.TB) []byte {
	tb.Helper()
	r := policyset.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(p.yaml())}}, compiler.Options{})
	if r.Bundle == nil {
		var b strings.Builder
		_ = diag.WriteText(&b, r.Diagnostics, r.Sources, false)
		tb.Fatalf("the policies do not compile:\n%s", b.String())
	}
	return r.Bundle
}

// put has the compiler give these policies from now on.
func (w *world) put(p testPolicies) {
	w.tb.Helper()
	w.policies = p
	w.compile.Store(p.bundle(w.tb))
}

// load puts policies in force.
func (w *world) load(p testPolicies) {
	w.tb.Helper()
	w.put(p)
	if changed, err := w.g.Reload(context.Background()); err != nil || !changed {
		w.tb.Fatalf("reload: %v, changed %v", err, changed)
	}
}

// brittleEngine is OPA, until it is told to panic or to answer nonsense.
type brittleEngine struct {
	gateway.Engine
	broken atomic.Bool // panics
	silent atomic.Bool // gives the zero decision
}

func newBrittleEngine() *brittleEngine {
	return &brittleEngine{Engine: gateway.OPA(rego.New(rego.Options{}))}
}

func (e *brittleEngine) Current() gateway.Generation {
	if e.broken.Load() {
		return brokenGen{e.Engine.Current()}
	}
	if e.silent.Load() {
		return silentGen{e.Engine.Current()}
	}
	return e.Engine.Current()
}

type silentGen struct{ gateway.Generation }

func (silentGen) DecideReadings(context.Context, schemas.DecisionInput, []schemas.NetworkInput) (schemas.Decision, int) {
	return schemas.Decision{}, 0
}

type brokenGen struct{ gateway.Generation }

func (brokenGen) DecideReadings(context.Context, schemas.DecisionInput, []schemas.NetworkInput) (schemas.Decision, int) {
	panic("the engine is broken")
}

// nothing compiles the default policies, for gateways that serve nobody.
func nothing(tb testing.TB) gateway.Compile {
	b := defaultPolicies(1, 2).bundle(tb)
	return func(context.Context) ([]byte, []string, error) { return b, nil, nil }
}
