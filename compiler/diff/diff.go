package diff

import (
	"context"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Options say how to compare.
type Options struct {
	// Before and After decide examples; without them nothing is replayed, and
	// what needs an example to be settled stays unknown.
	Before, After Evaluator
	// Extended says that Rego extensions may deny more on either side, and
	// SameExtensions that these are the same on both: what was equivalent stays
	// so then, but an example may be denied by them.
	Extended, SameExtensions bool
	// Budget bounds the states of a search; 0 is exact.Limit.
	Budget int
}

// Policies compares two policies. The error is a *Mismatch, or what ended ctx.
func Policies(ctx context.Context, from, to *plan.Policy, opts Options) (*Report, error) {
	c := &comparison{from: from, to: to, evaluators: [2]Evaluator{opts.Before, opts.After}, extended: opts.Extended, budget: opts.Budget}
	if c.budget == 0 {
		c.budget = exact.Limit
	}
	r := &Report{Policy: to.Name}
	if from.Name != to.Name {
		r.Was = from.Name
	}
	for _, compare := range []func(context.Context) (Surface, error){c.mode, c.network, c.files, c.commands} {
		s, err := compare(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if opts.Extended && !opts.SameExtensions && s.Name != SurfaceMode {
			s.extend()
		}
		r.Surfaces = append(r.Surfaces, s)
	}
	r.Verdict = overall(r.Surfaces)
	return r, nil
}

type comparison struct {
	from, to   *plan.Policy
	evaluators [2]Evaluator
	extended   bool
	budget     int
}

// mode compares how denials are treated.
func (c *comparison) mode(context.Context) (Surface, error) {
	t := newTally(SurfaceMode)
	if c.from.Mode != c.to.Mode {
		change := Change{Surface: SurfaceMode, Direction: direction(c.to.Mode == schemas.ModeAudit), Class: "mode " + string(c.from.Mode) + " became " + string(c.to.Mode)}
		change.Example = "everything that the policy denies"
		for i, p := range []*plan.Policy{c.from, c.to} {
			side := Part{Passes: p.Mode == schemas.ModeAudit, Rule: "mode", File: p.Pos.File, Line: p.Pos.Line}
			if i == 0 {
				change.Before = side
			} else {
				change.After = side
			}
		}
		t.Changes = append(t.Changes, change)
	}
	return t.finish(), nil
}

// extend takes back what extensions, which deny more, may make untrue.
func (s *Surface) extend() {
	for _, v := range []*string{&s.Wider, &s.Narrower} {
		if *v == "no" {
			*v = "unknown"
		}
	}
	s.doubts = map[Direction]bool{Widens: true, Narrows: true}
	s.Unknown = append(s.Unknown, "Rego extensions may deny more")
	if s.Verdict != Incomparable {
		s.Verdict = Unknown
	}
}

func texts(patterns []glob.Pattern) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = p.Source
	}
	return out
}
