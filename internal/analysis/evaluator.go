package analysis

import (
	"net/netip"

	"github.com/openshell-policy/openshell/rego"
)

// Evaluator is a generation of the engine as package compiler/diff and
// compiler/prove ask it.
type Evaluator struct{ *rego.Generation }

// Passthrough tells whether connections to a destination are passed on unread.
func (e Evaluator) Passthrough(policy, host string, port int) bool {
	_, ok := e.Destinations(policy).Passthrough(host, port)
	return ok
}

// Private returns the private addresses that a rule consents to.
func (e Evaluator) Private(policy, rule string) []netip.Prefix {
	info, _ := e.Rule(policy, rule)
	return info.AllowPrivate
}
