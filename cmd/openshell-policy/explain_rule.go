package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// explainRule prints one rule of a policy as it is written, and what it is.
func explainRule(o *evalOptions, id string) error {
	result, p, err := pickPlan(o.policy)
	if err != nil {
		return err
	}
	if result.Bundle == nil {
		return o.refuse(result, cli.ExitError)
	}
	for _, r := range analysis.Locate(analysis.Rules(p), result.Sources) {
		if r.ID != id {
			continue
		}
		return writeRule(o.stdout, r, result)
	}
	ids := ruleIDs(p)
	hint := "it has " + strings.Join(ids, ", ")
	if best := parse.Closest(id, ids); best != "" {
		hint = "did you mean " + best + "? " + hint
	}
	return cli.WithHint(fmt.Errorf("policy %s has no rule %q", p.Name, id), "%s", hint)
}

// pickPlan compiles what --policy names and returns the plan that is meant.
func pickPlan(ref string) (*compiler.Result, *plan.Policy, error) {
	sources, name, err := policyset.Pick(ref)
	if err != nil {
		return nil, nil, hinted(err)
	}
	result := policyset.Compile(sources, compiler.Options{})
	if result.Bundle == nil {
		return result, nil, nil
	}
	if name, err = policyset.Choose(result, name); err != nil {
		return nil, nil, hinted(err)
	}
	for _, p := range result.Policies {
		if p.Name == name {
			return result, p, nil
		}
	}
	return nil, nil, fmt.Errorf("policy %q was not compiled", name)
}

func ruleIDs(p *plan.Policy) []string {
	var ids []string
	for _, r := range analysis.Rules(p) {
		ids = append(ids, r.ID)
	}
	return ids
}

func writeRule(w io.Writer, r analysis.Rule, result *compiler.Result) error {
	effect := "allows"
	if r.Deny {
		effect = "denies"
	}
	fmt.Fprintf(w, "%s %s, %s:%d\n\n", r.ID, effect, r.Pos.File, r.Pos.Line)
	lines := bytes.SplitAfter(result.Sources[r.Pos.File], []byte("\n"))
	for _, n := range r.Lines {
		if n >= 1 && n <= len(lines) {
			fmt.Fprintf(w, "%4d | %s", n, lines[n-1])
		}
	}
	_, err := fmt.Fprintf(w, "\ndecides   %s\ncases     openshell-policy test FILE --coverage -v shows those that it decides\n", r.About)
	return err
}
