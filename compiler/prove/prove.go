package prove

import (
	"context"
	"fmt"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Options say how to prove.
type Options struct {
	Evaluator diff.Evaluator // decides counterexamples; required
	// Extended says that Rego extensions may deny more: "always" is unknown then.
	Extended bool
	Budget   int // of states; 0 is exact.Limit
	// Name is what the policy is chosen by, where that is not its own: a policy
	// with others bound beside it.
	Name string
}

// Result is what became of one claim of an invariant for one policy. The patterns
// of only are one claim.
type Result struct {
	Invariant string        `json:"invariant"`
	Policy    string        `json:"policy"`
	Claim     string        `json:"claim"` // never, always or only
	Pattern   string        `json:"pattern"`
	Verdict   Verdict       `json:"verdict"`
	Example   string        `json:"example,omitempty"` // that refutes it
	Why       string        `json:"why,omitempty"`     // it is unknown
	Decision  *diff.Part    `json:"decision,omitempty"`
	Pos       diag.Position `json:"position"`

	Input *schemas.DecisionInput `json:"input,omitempty"`
}

// Policy decides the claims of those invariants that are about a policy. The error
// is a *diff.Mismatch, or what ended ctx.
func Policy(ctx context.Context, invariants []*Invariant, p *plan.Policy, opts Options) ([]Result, error) {
	if opts.Budget == 0 {
		opts.Budget = exact.Limit
	}
	pr := &prover{Options: opts, policy: p}
	if opts.Name == "" {
		pr.Name = p.Name
	}
	for _, v := range invariants {
		if v.About(p, pr.Name) {
			pr.invariants = append(pr.invariants, v)
		}
	}
	var out []Result
	for _, v := range pr.invariants {
		found, err := pr.prove(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		out = append(out, found...)
	}
	return out, ctx.Err()
}

func (pr *prover) prove(ctx context.Context, v *Invariant) ([]Result, error) {
	var groups [][]*pattern
	var claims []string
	for _, claim := range []string{Never, Always} {
		for _, p := range v.claims[claim] {
			groups, claims = append(groups, []*pattern{p}), append(claims, claim)
		}
	}
	for _, group := range surfaces(v.claims[Only]) {
		groups, claims = append(groups, group), append(claims, Only)
	}
	var out []Result
	for i, group := range groups {
		r, err := pr.claim(ctx, v, claims[i], group)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// surfaces groups the patterns of only by what they are about.
func surfaces(list []*pattern) [][]*pattern {
	at := map[string]int{}
	var out [][]*pattern
	for _, p := range list {
		key := "run"
		switch {
		case p.request != nil:
			key = "request"
		case p.glob != nil:
			key = string(p.op)
		}
		i, known := at[key]
		if !known {
			i = len(out)
			at[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

type prover struct {
	Options
	policy     *plan.Policy
	invariants []*Invariant
	cells      *cells // of files, once asked for
}

// claim decides one claim over the patterns of one surface.
func (pr *prover) claim(ctx context.Context, v *Invariant, claim string, list []*pattern) (Result, error) {
	first := list[0]
	r := Result{Invariant: v.Name, Policy: pr.policy.Name, Claim: claim, Pattern: first.text, Verdict: Proved, Pos: first.pos}
	for _, p := range list[1:] {
		r.Pattern += ", " + p.text
	}
	decide := pr.commands
	switch {
	case first.request != nil:
		decide = pr.requests
	case first.glob != nil:
		decide = pr.files
	}
	if err := decide(ctx, &r, list); err != nil {
		return r, err
	}
	if pr.Extended && claim == Always && r.Verdict == Proved {
		r.doubt("Rego extensions may deny more")
	}
	return r, nil
}

func (r *Result) doubt(why string, args ...any) {
	if r.Verdict == Proved {
		r.Verdict, r.Why = Unknown, fmt.Sprintf(why, args...)
	}
}

// refute records an example that the engine decided. It tells whether the example
// does refute the claim.
func (r *Result) refute(d *schemas.Decision, in *schemas.DecisionInput, text string) bool {
	if d.Passes() == (r.Claim == Always) {
		return false
	}
	part := diff.PartOf(d)
	r.Verdict, r.Example, r.Decision, r.Input, r.Why = Refuted, text, &part, in, ""
	return true
}

// mismatch is the error of an example that should refute the claim and does not.
func (r *Result) mismatch(d *schemas.Decision, text string) error {
	want := diff.Widens
	if r.Claim == Always {
		want = diff.Narrows
	}
	return &diff.Mismatch{Example: text, Before: *d, After: *d, Want: want}
}
