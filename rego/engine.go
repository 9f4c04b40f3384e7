// Package rego is the only evaluator around OPA: it loads a bundle, compiles
// each policy once and decides inputs built by schemas/canon. It never answers
// with an error: what cannot be decided is denied.
package rego

import (
	"context"
	"net/netip"

	"github.com/openshell-policy/openshell/schemas"
)

// Options tune an Engine; the zero value is ready for use.
type Options struct {
	// CacheSize is the number of decisions kept per generation; 0 means 4096,
	// negative none.
	CacheSize int
}

// Engine holds the policies of one bundle and swaps them whole.
type Engine struct{}

// New returns an engine without policies: everything is denied with no_policy.
func New(opts Options) *Engine { return &Engine{} }

// Load reads a bundle, compiles the policies that changed and makes the result
// current. On error the generation before stays current.
func (e *Engine) Load(bundle []byte) (*Generation, error) { panic("not built") }

// Current returns the generation in force, never nil.
func (e *Engine) Current() *Generation { panic("not built") }

// Generation is one immutable set of policies. It is safe for concurrent use.
type Generation struct{}

// Number counts generations from 1; 0 is the empty one before the first Load.
func (g *Generation) Number() uint64 { panic("not built") }

// Revision is the bundle's revision.
func (g *Generation) Revision() string { panic("not built") }

// Policies describes the policies, sorted by name.
func (g *Generation) Policies() []PolicyInfo { panic("not built") }

// Has tells whether the generation holds the policy.
func (g *Generation) Has(policy string) bool { panic("not built") }

// Decide answers one input.
func (g *Generation) Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision {
	panic("not built")
}

// DecideReadings decides a request that may be read in several ways: each
// reading must be allowed. It returns the decision and the index of the reading
// it belongs to.
func (g *Generation) DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int) {
	panic("not built")
}

// Rule describes a rule of a policy by its id.
func (g *Generation) Rule(policy, id string) (RuleInfo, bool) { panic("not built") }

// Destinations says which hosts and ports a policy names.
func (g *Generation) Destinations(policy string) Destinations { panic("not built") }

// PolicyInfo describes one policy of a generation.
type PolicyInfo struct {
	Name  string       `json:"name"`
	File  string       `json:"file"`
	Line  int          `json:"line"`
	Mode  schemas.Mode `json:"mode"`
	Rules int          `json:"rules"`
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

// Destinations are the hosts and ports that a policy's allow rules name.
type Destinations struct{}

// Names tells whether an allow rule names the canonical host.
func (d Destinations) Names(host string) bool { panic("not built") }

// Port tells whether a CONNECT to the port may be answered inside the tunnel:
// 443, or a port that a rule names.
func (d Destinations) Port(port int) bool { panic("not built") }

// Passthrough returns the id of the passthrough rule for a destination, if
// there is one.
func (d Destinations) Passthrough(host string, port int) (rule string, ok bool) {
	panic("not built")
}
