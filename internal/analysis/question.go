package analysis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// Question is one of a request, a file operation ("write /p"), a command line
// and a whole input, asked of a policy.
type Question struct {
	Policy  string
	Agent   string
	Request *schemas.TestRequest
	File    string
	Command string
	Input   *schemas.DecisionInput
}

// Answer is the decision, and the canonical inputs that it was made on: several
// where a request can be read in several ways, none where it is malformed.
type Answer struct {
	Decision schemas.Decision
	Inputs   []schemas.DecisionInput
	Decided  int // the input that decided
}

// ErrNoQuestion is returned for a question that asks nothing.
var ErrNoQuestion = errors.New("one of a request, a file operation and a command is needed")

// Ask decides a question. What is malformed is denied as the gateway denies it;
// an error says that the question itself makes no sense, such as a URL that is
// none.
func Ask(ctx context.Context, g *rego.Generation, q Question) (Answer, error) {
	inputs, err := q.inputs()
	var malformed *canon.Error
	if errors.As(err, &malformed) {
		return Answer{Decision: refused(q.Policy, g.Revision(), malformed)}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Inputs: inputs}
	a.Decision, a.Decided = decide(ctx, g, inputs)
	return a, nil
}

// decide decides inputs that are readings of one request, or one input of
// another kind.
func decide(ctx context.Context, g *rego.Generation, inputs []schemas.DecisionInput) (schemas.Decision, int) {
	if len(inputs) == 0 {
		return schemas.Decision{}, 0
	}
	if inputs[0].Network == nil {
		return g.Decide(ctx, &inputs[0]), 0
	}
	readings := make([]schemas.NetworkInput, len(inputs))
	for i := range inputs {
		readings[i] = *inputs[i].Network
	}
	return g.DecideReadings(ctx, inputs[0], readings)
}

// check refuses what no client could send, and so no gateway would deny.
func (q Question) check() error {
	switch {
	case q.Request != nil && !strings.Contains(q.Request.URL, "://"):
		return fmt.Errorf("%q is not an absolute URL, such as https://example.com/", q.Request.URL)
	case q.File != "":
		op, paths, _ := strings.Cut(strings.TrimSpace(q.File), " ")
		if _, err := canon.ParseFile(op + " /a /b"); err != nil {
			return fmt.Errorf("%q is not an operation and a path, such as %q", q.File, "read /workspace/a")
		}
		if strings.TrimSpace(paths) == "" {
			return fmt.Errorf("%q lacks a path, as in %q", q.File, op+" /workspace/a")
		}
	}
	return nil
}

func (q Question) inputs() ([]schemas.DecisionInput, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	in := schemas.DecisionInput{Policy: q.Policy, Sandbox: schemas.Sandbox{Agent: q.Agent}}
	var err error
	switch {
	case q.Request != nil:
		return q.readings(in)
	case q.File != "":
		in.Kind = schemas.KindFile
		in.File, err = canon.ParseFile(q.File)
	case q.Command != "":
		in.Kind = schemas.KindExec
		in.Exec, err = canon.CommandText(q.Command, canon.Shell{Hook: true})
	case q.Input != nil:
		in = *q.Input
		if in.Policy == "" {
			in.Policy = q.Policy
		}
	default:
		err = ErrNoQuestion
	}
	if err != nil {
		return nil, err
	}
	return []schemas.DecisionInput{in}, nil
}

func (q Question) readings(in schemas.DecisionInput) ([]schemas.DecisionInput, error) {
	r, err := canon.ParseRequest(q.Request.Method, q.Request.URL)
	if err != nil {
		return nil, err
	}
	r.WebSocket, r.Binary, r.Ancestors = q.Request.WebSocket, q.Request.Binary, q.Request.Ancestors
	c, err := canon.Network(r)
	if err != nil {
		return nil, err
	}
	in.Kind = schemas.KindNetwork
	inputs := make([]schemas.DecisionInput, len(c.Readings))
	for i := range c.Readings {
		inputs[i] = in
		inputs[i].Network = &c.Readings[i]
	}
	return inputs, nil
}

// refused is the decision on what never becomes an input.
func refused(policy, revision string, e *canon.Error) schemas.Decision {
	return schemas.Decision{
		Mode: schemas.ModeEnforce, Code: e.Code, Message: e.Detail, Rule: schemas.RuleDefault,
		Policy: policy, Revision: revision,
	}
}
