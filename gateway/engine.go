package gateway

import (
	"context"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// Engine loads bundles. Load makes a bundle current, or returns an error and
// leaves the one before.
type Engine interface {
	Load(bundle []byte) (Generation, error)
	Current() Generation // never nil
}

// Generation is one immutable set of policies. *rego.Generation is one, by way
// of OPA.
type Generation interface {
	Number() uint64
	Revision() string
	Policies() []rego.PolicyInfo
	Has(policy string) bool
	Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision
	DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int)
	Rule(policy, id string) (rego.RuleInfo, bool)
	Destinations(policy string) Destinations
}

// Destinations are the hosts and ports that a policy's allow rules name.
type Destinations interface {
	Names(host string) bool
	Port(port int) bool
	Passthrough(host string, port int) (rule string, ok bool)
}

// OPA returns the engine that package rego implements.
func OPA(e *rego.Engine) Engine { return opaEngine{e} }

type opaEngine struct{ engine *rego.Engine }

func (e opaEngine) Load(bundle []byte) (Generation, error) {
	g, err := e.engine.Load(bundle)
	if err != nil {
		return nil, err
	}
	return opaGeneration{g}, nil
}

func (e opaEngine) Current() Generation { return opaGeneration{e.engine.Current()} }

type opaGeneration struct{ *rego.Generation }

func (g opaGeneration) Destinations(policy string) Destinations {
	return g.Generation.Destinations(policy)
}
