package diff

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// Evaluator decides inputs by a compiled policy: a generation of the engine.
type Evaluator interface {
	Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision
	DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int)
	// Passthrough tells whether connections to a destination are not read, and
	// Private which private addresses a rule consents to.
	Passthrough(policy, host string, port int) bool
	Private(policy, rule string) []netip.Prefix
}

// Mismatch is a disagreement of analysis and evaluator on an example: a fault of
// this program, not of the policies.
type Mismatch struct {
	Example       string
	Before, After schemas.Decision
	Want          Direction
}

func (m *Mismatch) Error() string {
	return fmt.Sprintf("analysis and engine disagree: %s should be %s, but before it is %s (%s) and after %s (%s)", m.Example, m.Want, m.Before.Code, m.Before.Rule, m.After.Code, m.After.Rule)
}

// errNoRequest says that an example is no request after all.
var errNoRequest = errors.New("the example is refused before any policy is asked")

// DecideRequest decides a request as the gateway does: the connection alone where
// TLS is passed through.
func DecideRequest(ctx context.Context, e Evaluator, policy string, r *exact.Request) (schemas.Decision, *schemas.DecisionInput, error) {
	asked := *r
	if r.Scheme == "https" && e.Passthrough(policy, r.Host, r.Port) {
		asked.Method, asked.Path, asked.Query, asked.WebSocket = "GET", "/", nil, false
	}
	c, err := canon.Network(asked.Canon())
	if err != nil {
		return schemas.Decision{}, nil, fmt.Errorf("%w: %s: %w", errNoRequest, r, err)
	}
	in := schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: policy}
	d, at := e.DecideReadings(ctx, in, c.Readings)
	in.Network = &c.Readings[at]
	return d, &in, nil
}
