package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// explainDecision says how a policy comes to its decision.
func explainDecision(ctx context.Context, o *evalOptions) error {
	if o.policy == "" {
		return cli.WithHint(errors.New("--policy is missing: whose decision is to be explained?"), "openshell-policy explain --help shows examples")
	}
	if err := o.complete(); err != nil {
		return err
	}
	q, err := o.question()
	if err != nil {
		return err
	}
	sources, name, err := policyset.Pick(o.policy)
	if err != nil {
		return hinted(err)
	}
	result := policyset.Compile(sources, compiler.Options{})
	if err := o.refuse(result, cli.ExitError); err != nil {
		return err
	}
	if name, err = policyset.Choose(result, name); err != nil {
		return hinted(err)
	}
	runner := analysis.Runner{
		Compile: func(sources []compiler.Source) *compiler.Result {
			return policyset.Compile(sources, compiler.Options{})
		},
		Library: policyset.ReadyMade,
	}
	e, err := runner.Explain(ctx, sources, name, q)
	if err != nil {
		return cli.WithHint(err, "openshell-policy eval --help shows how each is written")
	}
	if o.json {
		return cli.WriteJSON(o.stdout, e)
	}
	if err := writeDecision(o, &e.Decision); err != nil {
		return err
	}
	return writeExplanation(o.stdout, e)
}

// writeExplanation prints the rules in the order in which they were tried, and
// what to add:
//
//	tried, in this order:
//	deny   no-push      p.yaml:21  github.com      other host
//	allow  outbound[0]  p.yaml:10  api.github.com  fails by method  <- nearest
func writeExplanation(w io.Writer, e *analysis.Explanation) error {
	var b strings.Builder
	if len(e.Steps) > 0 {
		b.WriteString("\ntried, in this order:\n")
		tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
		for _, s := range e.Steps {
			place := ""
			if s.Source != nil {
				place = fmt.Sprintf("%s:%d", s.Source.File, s.Source.Line)
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", s.Effect, s.Rule, place, s.Text, outcomeOf(s))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	if e.Advice != "" {
		fmt.Fprintf(&b, "\n%s\n", e.Advice)
	}
	if a := e.Addition; a != nil {
		fmt.Fprintf(&b, "\nto allow this and nothing else, add (tried: %s then allows it)\n\n%s%s", a.Rule, a.Diff, a.YAML)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func outcomeOf(s analysis.Step) string {
	switch {
	case s.Decides:
		return "matches, and decides"
	case s.Matches:
		return "matches"
	case s.Nearest:
		return fmt.Sprintf("fails by its %s  <- nearest miss", s.Check)
	}
	return fmt.Sprintf("fails by its %s", s.Check)
}
