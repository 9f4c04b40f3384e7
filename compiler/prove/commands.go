package prove

import (
	"context"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// commands decides a claim over commands, as far as the structure of patterns and
// examples go.
func (pr *prover) commands(ctx context.Context, r *Result, list []*pattern) error {
	switch r.Claim {
	case Never:
		return pr.neverRuns(ctx, r, list[0])
	case Always:
		return pr.alwaysRuns(ctx, r, list[0])
	}
	return pr.onlyRuns(ctx, r, list)
}

// enforces tells whether the policy denies any command.
func (pr *prover) enforces() bool {
	return pr.policy.Mode != schemas.ModeAudit && pr.policy.Exec.Present
}

// neverRuns: a blocked pattern covers it, or one of its programs is not allowed.
func (pr *prover) neverRuns(ctx context.Context, r *Result, p *pattern) error {
	e := &pr.policy.Exec
	if pr.enforces() {
		var blocked []*plan.PipelineRule
		for i := range e.Blocked {
			blocked = append(blocked, &e.Blocked[i])
		}
		if exact.BlockedCovered(p.blocked, blocked...) == exact.Yes || slices.ContainsFunc(p.blocked.Stages, pr.cannotRun) {
			return nil
		}
	}
	for _, in := range diff.Pipelines(p.blocked) {
		if pr.try(ctx, r, in.Input, in.Text) {
			return nil
		}
	}
	r.doubt("no example of it passes, but no blocked pattern covers all of it")
	return ctx.Err()
}

// cannotRun tells whether the policy allows no program of a stage's name.
func (pr *prover) cannotRun(s plan.Stage) bool {
	e := &pr.policy.Exec
	if !e.Restricted || s.Program.Path != nil {
		return false
	}
	if e.Carriers && !e.None && slices.ContainsFunc(tables.Carriers(), func(c string) bool { return canon.BlockedFamily(c) == s.Program.Name }) {
		return false
	}
	return !slices.ContainsFunc(e.Allowed, func(a plan.CommandRule) bool {
		if a.Program.Path != nil {
			return diff.MayBeNamed(*a.Program.Path, s.Program.Name)
		}
		return canon.BlockedFamily(a.Program.Name) == s.Program.Name
	})
}

// alwaysRuns: an allowed pattern covers it and no blocked one can match.
func (pr *prover) alwaysRuns(ctx context.Context, r *Result, p *pattern) error {
	if p.allowed == nil {
		r.doubt("whether a pipeline always passes is not decided; claim it for each command")
		return nil
	}
	if !pr.enforces() {
		return nil
	}
	words := diff.Words(p.allowed)
	in, err := canon.CommandArgv(words, schemas.Command{}, canon.Shell{Hook: true})
	if err != nil {
		r.doubt("the command is refused: %v", err)
		return nil
	}
	if pr.try(ctx, r, in, strings.Join(words, " ")) {
		return nil
	}
	if literal(p.allowed) {
		return ctx.Err() // decided: the pattern is this one command
	}
	e := &pr.policy.Exec
	if e.Restricted {
		var others []*plan.CommandRule
		for i := range e.Allowed {
			others = append(others, &e.Allowed[i])
		}
		answer, example := exact.CommandCovered(p.allowed, others...)
		if answer == exact.No && !pr.tryWords(ctx, r, p.allowed, example) {
			answer = exact.Unknown
		}
		if answer != exact.Yes {
			r.doubt("no allowed pattern covers all of it")
			return ctx.Err()
		}
	}
	if carried(p.allowed) {
		r.doubt("what the command starts is judged, too")
	}
	for i := range e.Blocked {
		b := &e.Blocked[i]
		if len(b.Stages) > 1 || b.Stages[0].Program.Path == nil && b.Stages[0].Program.Name != canon.BlockedFamily(p.allowed.Program.Name) {
			continue
		}
		if pr.tryWords(ctx, r, p.allowed, diff.StageWords(&b.Stages[0])) {
			return nil
		}
		r.doubt("%q may block some of it", b.Text)
	}
	return ctx.Err()
}

// tryWords tries a command, if it is one of a pattern; nil takes any.
func (pr *prover) tryWords(ctx context.Context, r *Result, of *plan.CommandRule, words []string) bool {
	in, err := canon.CommandArgv(words, schemas.Command{}, canon.Shell{Hook: true})
	if err != nil || len(in.Commands) != 1 {
		return false
	}
	if of != nil && !exact.MatchesCommand(of, words) {
		return false
	}
	return pr.try(ctx, r, in, strings.Join(words, " "))
}

func literal(c *plan.CommandRule) bool {
	return c.Program.Path == nil && !slices.ContainsFunc(c.Args, func(a plan.ArgToken) bool {
		_, plain := a.Glob.Literal("")
		return a.Rest || !plain
	})
}

// carried tells whether a command may start others.
func carried(c *plan.CommandRule) bool {
	return c.Program.Path != nil || slices.ContainsFunc(tables.CarrierTable(), func(t tables.Carrier) bool { return canon.Family(t.Program) == c.Program.Name }) ||
		slices.ContainsFunc(tables.Shells(), func(s tables.Shell) bool { return s.Name == c.Program.Name })
}

// onlyRuns: every allowed pattern is covered by the claimed ones.
func (pr *prover) onlyRuns(ctx context.Context, r *Result, list []*pattern) error {
	var claimed []*plan.CommandRule
	for _, p := range list {
		if p.allowed == nil {
			r.doubt("only takes commands, no pipelines")
			return nil
		}
		claimed = append(claimed, p.allowed)
	}
	e := &pr.policy.Exec
	if !pr.enforces() || !e.Restricted {
		for _, name := range []string{"ls", "cat", "a"} {
			if !slices.ContainsFunc(claimed, func(c *plan.CommandRule) bool { return exact.MatchesCommand(c, []string{name}) }) && pr.tryWords(ctx, r, nil, []string{name}) {
				return nil
			}
		}
		r.doubt("the policy limits no commands, but blocks every example")
		return ctx.Err()
	}
	for i := range e.Allowed {
		answer, example := exact.CommandCovered(&e.Allowed[i], claimed...)
		if answer == exact.No && pr.tryWords(ctx, r, nil, example) {
			return nil
		}
		if answer != exact.Yes {
			r.doubt("%q allows what no pattern covers, but no example of it passes", e.Allowed[i].Text)
		}
	}
	return ctx.Err()
}

// try lets the engine decide an example.
func (pr *prover) try(ctx context.Context, r *Result, exec *schemas.ExecInput, text string) bool {
	in := schemas.DecisionInput{Kind: schemas.KindExec, Policy: pr.policy.Name, Exec: exec}
	d := pr.Evaluator.Decide(ctx, &in)
	return r.refute(&d, &in, text)
}
