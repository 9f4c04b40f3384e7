package analysis

import (
	"context"
	"fmt"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/variants"
	"github.com/openshell-policy/openshell/schemas"
)

// Explanation says how a decision came about.
type Explanation struct {
	Decision schemas.Decision `json:"decision"`
	// Steps are the rules in the order in which they were tried, up to the one
	// that decided.
	Steps []Step `json:"steps"`
	// Addition is what to add so that it is allowed; nil where nothing can be
	// added, and Advice then says why.
	Addition *Addition `json:"addition,omitempty"`
	Advice   string    `json:"advice,omitempty"`
}

// Step is one rule that was tried.
type Step struct {
	Rule    string          `json:"rule"`
	Source  *schemas.Source `json:"source,omitempty"`
	Text    string          `json:"text"` // its host, glob or pattern
	Effect  string          `json:"effect"`
	Matches bool            `json:"matches"`
	Decides bool            `json:"decides,omitempty"`
	// Check is the first check that failed, and Why how.
	Check   string `json:"check,omitempty"`
	Why     string `json:"why,omitempty"`
	Nearest bool   `json:"nearest,omitempty"` // the nearest miss
}

// Explain asks a policy and says which rules were tried, the first check that
// each failed, and what to add.
func (r *Runner) Explain(ctx context.Context, sources []compiler.Source, policy string, q Question) (*Explanation, error) {
	w := &world{own: sources, sources: sources, result: r.Compile(sources)}
	if w.result.Bundle == nil {
		return nil, fmt.Errorf("policy %q does not compile", policy)
	}
	a := r.arena(w)
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(w.result.Bundle)
	if err != nil {
		return nil, fmt.Errorf("load the compiled policies: %w", err)
	}
	q.Policy = policy
	answer, err := Ask(ctx, g, q)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Decision: answer.Decision, Steps: []Step{}}
	if len(answer.Inputs) == 0 {
		e.Advice = "what is malformed is denied before any policy is asked"
		return e, nil
	}
	x := &explainer{arena: a, g: g, policy: policy, plan: a.plans[policy], in: answer.Inputs[answer.Decided], Explanation: e}
	if err := x.try(ctx); err != nil {
		return nil, err
	}
	if !e.Decision.Allow {
		return e, r.remedy(ctx, x)
	}
	return e, nil
}

type explainer struct {
	*arena
	*Explanation
	g      *rego.Generation
	policy string
	plan   *plan.Policy
	in     schemas.DecisionInput
}

// attempt is a rule to try, as a chain of policies that each ask for one thing
// more; the first that does not match is the check that failed.
type attempt struct {
	plan.Origin
	deny   bool
	checks []check1
}

type check1 struct {
	name string
	plan *plan.Policy
}

// try decides the input by each rule alone.
func (x *explainer) try(ctx context.Context) error {
	attempts := x.attempts()
	var vs []variants.Variant
	for i, a := range attempts {
		for j, c := range a.checks {
			v, err := target{arena: x.arena, policy: x.policy}.variant(c.plan, variantName(x.policy, i, j), x.in.Kind)
			if err != nil {
				return err
			}
			vs = append(vs, v)
		}
	}
	if len(vs) == 0 {
		return nil
	}
	base, err := x.rules()
	if err != nil {
		return err
	}
	set, err := base.Compile(ctx, vs)
	if err != nil {
		return err
	}
	for i, a := range attempts {
		s, err := x.step(ctx, set, i, a)
		if err != nil {
			return err
		}
		x.Steps = append(x.Steps, s)
		if s.Decides {
			break
		}
	}
	return nil
}

func variantName(policy string, i, j int) string { return fmt.Sprintf("%s~%d~%d", policy, i, j) }

func (x *explainer) step(ctx context.Context, set *variants.Set, i int, a attempt) (Step, error) {
	s := Step{Rule: a.ID, Text: a.Text, Effect: "allow", Matches: true}
	if a.deny {
		s.Effect = "deny"
	}
	if a.Pos.File != "" && !ofTable(a.ID) {
		s.Source = &schemas.Source{File: a.Pos.File, Line: a.Pos.Line}
	}
	for j, c := range a.checks {
		d, ok, err := x.ask(ctx, set, variantName(x.policy, i, j), a)
		if err != nil {
			return s, err
		}
		if ok {
			continue
		}
		s.Matches, s.Check = false, c.name
		if x.in.Kind == schemas.KindNetwork && !a.deny {
			s.Check, s.Why = checkOf(d.Code), d.Message
		}
		break
	}
	s.Decides = s.Matches && s.Rule == x.Decision.Rule
	s.Nearest = !s.Matches && x.in.Kind == schemas.KindNetwork && s.Rule == x.Decision.Rule
	return s, nil
}

// ask asks a variant, and tells whether its rule matches: of commands, one of
// them, because a list is allowed only as a whole.
func (x *explainer) ask(ctx context.Context, set *variants.Set, name string, a attempt) (d schemas.Decision, ok bool, err error) {
	for _, in := range x.alone(a) {
		in.Policy = name
		if d, err = set.Decide(ctx, &in); err != nil || matched(&in, d, a) {
			return d, err == nil, err
		}
	}
	return d, false, nil
}

// alone lists the inputs to ask an attempt with.
func (x *explainer) alone(a attempt) []schemas.DecisionInput {
	if x.in.Kind != schemas.KindExec || a.deny {
		return []schemas.DecisionInput{x.in}
	}
	var out []schemas.DecisionInput
	for i, c := range x.in.Exec.Commands {
		in, exec := x.in, *x.in.Exec
		c.Upstream, exec.EntryPoint = []int{}, exec.EntryPoint && i == 0
		exec.Commands = []schemas.Command{c}
		in.Exec = &exec
		out = append(out, in)
	}
	return out
}

// matched tells whether the one rule of a policy decided.
func matched(in *schemas.DecisionInput, d schemas.Decision, a attempt) bool {
	if in.Kind == schemas.KindNetwork && !a.deny || a.ID == schemas.RuleDefault {
		return d.Allow
	}
	return d.Rule == a.ID
}

// checkOf names the check that a code is about.
func checkOf(code schemas.Code) string {
	return map[schemas.Code]string{
		schemas.CodeHostNotInPolicy: "host", schemas.CodePortNotAllowed: "port", schemas.CodeSchemeNotAllowed: "scheme",
		schemas.CodeBinaryNotAllowed: "binary", schemas.CodeMethodNotAllowed: "method", schemas.CodePathNotAllowed: "path",
		schemas.CodeBadRequest: "encoded slash", schemas.CodeQueryNotAllowed: "query", schemas.CodeWebSocketNotAllowed: "websocket",
	}[code]
}

// newSet compiles the policy of a world, as it is, under its name with a ~.
func newSet(ctx context.Context, w *world, policy string) (*variants.Set, error) {
	base, err := variants.Open(w.result.Bundle)
	if err != nil {
		return nil, err
	}
	for _, p := range w.result.Policies {
		if p.Name != policy {
			continue
		}
		v, err := target{policy: policy}.variant(p, policy+"~", "")
		if err != nil {
			return nil, err
		}
		return base.Compile(ctx, []variants.Variant{v})
	}
	return nil, fmt.Errorf("policy %q is gone", policy)
}
