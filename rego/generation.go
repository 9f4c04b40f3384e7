package rego

import (
	"context"
	"net/netip"
	"slices"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
)

// Generation is one immutable set of policies. It is safe for concurrent use.
type Generation struct {
	number     uint64
	revision   string
	manifest   archive.Manifest
	data       base
	shared     *shared
	library    *library
	masks      *masking                   // nil: the bundle has none
	extensions *extensions                // nil: the bundle has none
	sources    map[string]*schemas.Source // of extensions
	policies   map[string]*policy
	cache      *cache
	failed     func(policy string, err error)
	names      *nameCache
}

func newGeneration(number uint64, revision string, opts Options) *Generation {
	return &Generation{
		number: number, revision: revision, policies: map[string]*policy{}, sources: map[string]*schemas.Source{},
		cache: newCache(opts.CacheSize), names: newNameCache(), failed: opts.Failed,
	}
}

// Number counts generations from 1; 0 is the empty one before the first Load.
func (g *Generation) Number() uint64 { return g.number }

// Revision is the bundle's revision.
func (g *Generation) Revision() string { return g.revision }

// Manifest is the bundle's manifest.
func (g *Generation) Manifest() archive.Manifest { return g.manifest }

// Has tells whether the generation holds the policy.
func (g *Generation) Has(policy string) bool { return g.policies[policy] != nil }

// PolicyInfo describes one policy of a generation.
type PolicyInfo struct {
	Name  string       `json:"name"`
	File  string       `json:"file"`
	Line  int          `json:"line"`
	Mode  schemas.Mode `json:"mode"`
	Rules int          `json:"rules"` // that its author wrote
}

// Policies describes the policies, sorted by name.
func (g *Generation) Policies() []PolicyInfo {
	out := make([]PolicyInfo, 0, len(g.policies))
	for name, p := range g.policies {
		out = append(out, PolicyInfo{name, p.index.File, p.index.Line, p.index.Mode, p.index.written()})
	}
	slices.SortFunc(out, func(a, b PolicyInfo) int { return compareStrings(a.Name, b.Name) })
	return out
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// RuleInfo describes one rule, as far as an enforcement point needs it.
type RuleInfo struct {
	ID           string
	Effect       string // allow or deny
	File         string
	Line         int
	Host         string
	Methods      []string // as compiled, HEAD included; nil means any
	Passthrough  bool
	WebSocket    bool
	AllowPrivate []netip.Prefix
	Mode         schemas.Mode
}

// Rule describes a rule of a policy by its id.
func (g *Generation) Rule(policy, id string) (RuleInfo, bool) {
	p := g.policies[policy]
	if p == nil {
		return RuleInfo{}, false
	}
	i, ok := p.ordinals[id]
	if !ok {
		return RuleInfo{}, false
	}
	return p.index.Rules[i].info(), true
}

// Rules describes the rules of a policy in the order in which they are numbered;
// none for a policy that is not there.
func (g *Generation) Rules(policy string) []RuleInfo {
	p := g.policies[policy]
	if p == nil {
		return nil
	}
	out := make([]RuleInfo, len(p.index.Rules))
	for i := range out {
		out[i] = p.index.Rules[i].info()
	}
	return out
}

func (r *rule) info() RuleInfo {
	info := RuleInfo{
		ID: r.ID, Effect: r.Effect, File: r.File, Line: r.Line, Host: r.Host, Methods: r.MethodList,
		Passthrough: r.Passthrough, WebSocket: r.WebSocket, Mode: r.Mode,
	}
	for _, s := range r.AllowPrivate {
		if prefix, err := netip.ParsePrefix(s); err == nil {
			info.AllowPrivate = append(info.AllowPrivate, prefix)
		}
	}
	return info
}

// Decide answers one input. Whatever goes wrong denies.
func (g *Generation) Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision {
	p := g.policies[in.Policy]
	if p == nil {
		return g.fail(in, schemas.CodeNoPolicy)
	}
	key := acquireKey(in, g.extensions != nil)
	defer releaseKey(key)
	if d, ok := g.cache.get(key.buf); ok {
		return d
	}
	d := g.extend(ctx, p, in, g.decide(ctx, p, in))
	if d.Code != schemas.CodePolicyError {
		g.cache.add(key.buf, d)
	}
	return d
}

func (g *Generation) decide(ctx context.Context, p *policy, in *schemas.DecisionInput) schemas.Decision {
	if ctx.Err() != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	if in.Kind == schemas.KindNetwork && in.Network != nil {
		return g.decideNetwork(ctx, p, in)
	}
	return g.decideWhole(ctx, p, in)
}

// broken denies because a policy does not compile, and tells of it.
func (g *Generation) broken(in *schemas.DecisionInput, err error) schemas.Decision {
	if g.failed != nil {
		g.policies[in.Policy].told.Do(func() { g.failed(in.Policy, err) })
	}
	return g.fail(in, schemas.CodePolicyError)
}

// fail is the decision when there is nothing to evaluate, or evaluation failed.
func (g *Generation) fail(in *schemas.DecisionInput, code schemas.Code) schemas.Decision {
	d := schemas.Decision{Mode: schemas.ModeEnforce, Code: code, Rule: schemas.RuleDefault, Policy: in.Policy, Revision: g.revision}
	d.Message = expand(code.Info().Template, func(key string) (string, bool) { return in.Policy, key == "policy" })
	return d
}

// DecideReadings decides a request that may be read in several ways: each
// reading must be allowed. It returns the decision and the index of the reading
// it belongs to: the first that does not pass, else the first that is denied in
// audit mode, else the first.
func (g *Generation) DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int) {
	if len(readings) == 0 {
		return g.fail(&in, schemas.CodePolicyError), 0
	}
	var kept schemas.Decision
	at := -1
	for i := range readings {
		in.Network = &readings[i]
		d := g.Decide(ctx, &in)
		if !d.Passes() {
			return d, i
		}
		if at < 0 || kept.Allow && !d.Allow {
			kept, at = d, i
		}
	}
	return kept, at
}
