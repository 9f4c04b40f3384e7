//go:build linux

package local

import (
	"context"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/schemas"
)

// Policy is what a sandbox runs under at one moment.
type Policy struct {
	shim.Policy
	// Names tells whether a rule names a host.
	Names func(host string) bool
	// Ceiling are the files of the policies that the sandbox may be bound to later.
	Ceiling []schemas.PolicyFiles
	// Ports are those that rules name, besides 80 and 443.
	Ports []int
}

// Policies gives a sandbox its policy.
type Policies interface {
	// Current returns the policy that the sandbox is bound to now; it may ask the
	// gateway.
	Current(ctx context.Context) (Policy, error)
}

// Change is what a new policy could not change in a running sandbox.
type Change struct {
	// RestartRequired are the paths whose clauses need a new sandbox.
	RestartRequired []string `json:"restart_required,omitempty"`
}
