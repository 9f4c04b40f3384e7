package shim

import (
	"context"

	"github.com/openshell-policy/openshell/schemas"
)

// Decider answers decision inputs; a generation of the engine is one. It is safe
// for concurrent use and never changes its mind.
type Decider interface {
	Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision
	Revision() string
}

// Policy is what is in force at one moment: immutable, swapped whole.
type Policy struct {
	Decider
	Name  string
	Files schemas.PolicyFiles
	// Pipes says that a blocked command has more than one stage, so that it
	// matters which command feeds which.
	Pipes bool
	// Audit says that file decisions may be lifted by audit mode, so that each
	// has to be made.
	Audit bool
}

// FileMode is how a sandbox's files are enforced.
type FileMode string

// The file modes.
const (
	// Floor: Landlock is the policy. Opens cost next to nothing, and changes of
	// file clauses need a restart.
	Floor FileMode = "floor"
	// Trapped: Landlock is the ceiling, and the supervisor decides every open.
	Trapped FileMode = "trapped"
)

// Level is how much of a policy this machine can enforce.
type Level string

// The levels, the strongest first.
const (
	Full    Level = "full"  // namespaces and all below
	Pod     Level = "pod"   // notification, verification, Landlock
	Minimal Level = "floor" // Landlock and the filter only
	None    Level = "none"  // not even those
)
