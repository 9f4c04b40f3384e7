package analysis

import (
	"context"
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego/variants"
	"github.com/openshell-policy/openshell/schemas"
)

// How near cases come to a rule; of several reasons the nearest is told.
const (
	reachesNothing = iota + 1
	reachesName    // the host, or the program
	reachesCheck   // and passes some of its checks; the number is added
	matches        = reachesCheck + 100
)

// explain asks one rule the cases of its kind.
func (s *solo) explain(ctx context.Context, set *variants.Set) error {
	for _, one := range s.cases {
		if one.asks != s.policy || len(one.inputs) == 0 || one.inputs[0].Kind != s.kind {
			continue
		}
		var err error
		switch s.kind {
		case schemas.KindNetwork:
			err = s.request(ctx, set, one)
		case schemas.KindFile:
			err = s.file(ctx, set, one)
		default:
			err = s.command(ctx, set, one)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// because keeps the reason that comes nearest.
func (s *solo) because(depth int, format string, args ...any) {
	if depth > s.written.depth {
		s.written.depth, s.Reason = depth, fmt.Sprintf(format, args...)
	}
}

// other tells of a case that the rule matches and another rule decides.
func (s *solo) other(one *testCase) {
	s.because(matches, "%q (%s) matches it, but %s decides", one.Name, place(one.Pos), by(one.Got))
}

func by(d *schemas.Decision) string {
	if d.Source == nil {
		return fmt.Sprintf("%s (%s)", d.Rule, d.Code)
	}
	return fmt.Sprintf("%s (%s:%d)", d.Rule, d.Source.File, d.Source.Line)
}

func (s *solo) request(ctx context.Context, set *variants.Set, one *testCase) error {
	d, err := decideBy(ctx, set, s.whole, one.inputs)
	if err != nil {
		return err
	}
	if d.Allow || d.Code == schemas.CodeDeniedRule {
		s.other(one)
		return nil
	}
	const nobody = "no case reaches its host, %s"
	if !s.deny {
		if d.Code == schemas.CodeHostNotInPolicy {
			s.because(reachesNothing, nobody, s.Text)
			return nil
		}
		s.because(reachesCheck+passed(d.Code), "%q (%s) comes nearest: %s", one.Name, place(one.Pos), failure(d))
		return nil
	}
	if d, err = decideBy(ctx, set, s.host, one.inputs); err != nil {
		return err
	}
	if d.Code != schemas.CodeDeniedRule {
		s.because(reachesNothing, nobody, s.Text)
		return nil
	}
	s.because(reachesName, "%q (%s) reaches its host, but no case matches the rest of it", one.Name, place(one.Pos))
	return nil
}

// passed is how many checks come before the one that a code is about.
func passed(code schemas.Code) int {
	return slices.Index([]schemas.Code{
		schemas.CodePortNotAllowed, schemas.CodeSchemeNotAllowed, schemas.CodeBinaryNotAllowed, schemas.CodeMethodNotAllowed,
		schemas.CodePathNotAllowed, schemas.CodeBadRequest, schemas.CodeQueryNotAllowed, schemas.CodeWebSocketNotAllowed,
	}, code) + 1
}

func failure(d schemas.Decision) string { return fmt.Sprintf("%s (%s)", d.Message, d.Code) }

func (s *solo) file(ctx context.Context, set *variants.Set, one *testCase) error {
	d, err := decideBy(ctx, set, s.whole, one.inputs)
	switch {
	case err != nil:
		return err
	case d.Rule == s.id:
		s.other(one)
	default:
		s.because(reachesNothing, "no case asks about a path that %s matches", s.Text)
	}
	return nil
}

// command asks the commands of a list one by one: the decision on a list names
// the rule of the first only.
func (s *solo) command(ctx context.Context, set *variants.Set, one *testCase) error {
	in := one.inputs[0]
	if s.deny {
		return s.blocked(ctx, set, one)
	}
	for i, c := range in.Exec.Commands {
		exec := *in.Exec
		c.Upstream = []int{}
		exec.Commands = []schemas.Command{c}
		in.Exec = &exec
		d, err := decideBy(ctx, set, s.whole, []schemas.DecisionInput{in})
		switch {
		case err != nil:
			return err
		case d.Allow && d.Rule == s.id && i > 0 && one.Got.Allow:
			s.Hits++ // without the rule the whole list would be denied, or by another
		case d.Allow && d.Rule == s.id:
			s.other(one)
		case slices.Contains(c.Names, s.program()):
			s.because(reachesName, "%q (%s) runs its program, but no case has such arguments", one.Name, place(one.Pos))
		default:
			s.because(reachesNothing, "no case runs %s", s.Text)
		}
	}
	return nil
}

func (s *solo) blocked(ctx context.Context, set *variants.Set, one *testCase) error {
	d, err := decideBy(ctx, set, s.whole, one.inputs)
	switch {
	case err != nil:
		return err
	case d.Rule == s.id:
		s.other(one)
	case slices.ContainsFunc(one.inputs[0].Exec.Commands, func(c schemas.Command) bool { return slices.Contains(c.Names, s.program()) }):
		s.because(reachesName, "%q (%s) runs its program, but no case has all that the pattern names", one.Name, place(one.Pos))
	default:
		s.because(reachesNothing, "no case runs %s", s.Text)
	}
	return nil
}

// program is the family that a pattern names, of a pipeline the last; "" for a
// path.
func (s *solo) program() string {
	p := s.plans[s.policy]
	for _, r := range p.Exec.Allowed {
		if r.ID == s.id {
			return r.Program.Name
		}
	}
	for _, r := range p.Exec.Blocked {
		if r.ID == s.id {
			return last(r.Stages).Program.Name
		}
	}
	return ""
}

func last(stages []plan.Stage) plan.Stage { return stages[len(stages)-1] }
