package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/prove"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
)

// proof is what became of all invariants. It is what -o json prints.
type proof struct {
	Results   []prove.Result `json:"results"`
	Unmatched []string       `json:"unmatched"` // invariants about none of the policies
	Counts    map[string]int `json:"counts"`    // proved, refuted, unknown
	at        map[string]diag.Position
	sources   map[string][]byte
}

// subject is a policy with the name that invariants choose it by.
type subject struct {
	*plan.Policy
	name string
}

func proveAll(ctx context.Context, invariants []*prove.Invariant, policies []subject, result *compiler.Result) (*proof, error) {
	g, err := rego.New(rego.Options{CacheSize: -1, Lazy: true}).Load(result.Bundle)
	if err != nil {
		return nil, fmt.Errorf("load the compiled policies: %w", err)
	}
	p := &proof{Results: []prove.Result{}, Unmatched: []string{}, Counts: map[string]int{"proved": 0, "refuted": 0, "unknown": 0}, at: map[string]diag.Position{}, sources: map[string][]byte{}}
	for name, text := range result.Sources {
		p.sources[name] = text
	}
	extended := false
	for name := range result.Sources {
		extended = extended || policyset.IsModule(name)
	}
	for _, v := range invariants {
		if !slices.ContainsFunc(policies, func(s subject) bool { return v.About(s.Policy, s.name) }) {
			p.Unmatched = append(p.Unmatched, v.Name)
			p.at[v.Name] = v.Pos
		}
	}
	for _, policy := range policies {
		found, err := prove.Policy(ctx, invariants, policy.Policy, prove.Options{Evaluator: analysis.Evaluator{Generation: g}, Name: policy.name, Extended: extended})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", policy.name, err)
		}
		for _, r := range found {
			p.Counts[string(r.Verdict)]++
		}
		p.Results = append(p.Results, found...)
	}
	return p, nil
}

func (p *proof) fails(partial bool) bool {
	return p.Counts["refuted"]+p.Counts["unknown"] > 0 || len(p.Unmatched) > 0 && !partial
}

func (p *proof) write(o *proveOptions) error {
	switch o.format {
	case "json":
		return cli.WriteJSON(o.stdout, p)
	case "sarif":
		return diag.Write(o.stdout, diag.FormatSARIF, &diag.Report{Diagnostics: p.findings(o.partial), Sources: p.sources, Version: cli.Build().Version})
	}
	return p.text(o.stdout, o.partial)
}

// text prints what does not hold, and counts what does.
func (p *proof) text(w io.Writer, partial bool) error {
	color := cli.Color(w)
	for _, r := range p.Results {
		switch r.Verdict {
		case prove.Refuted:
			fmt.Fprintf(w, "%s  %s  %s: %s %s\n    %s\n", cli.Paint(color, cli.Red, "refuted"), r.Policy, r.Invariant, r.Claim, r.Pattern, refutation(&r))
		case prove.Unknown:
			fmt.Fprintf(w, "%s  %s  %s: %s %s\n    %s\n", cli.Paint(color, cli.Yellow, "unknown"), r.Policy, r.Invariant, r.Claim, audit.Printable(r.Pattern), audit.Printable(r.Why))
		}
	}
	if !partial {
		for _, name := range p.Unmatched {
			fmt.Fprintf(w, "%s  %s: is about none of the policies\n", cli.Paint(color, cli.Yellow, "nothing"), name)
		}
	}
	_, err := fmt.Fprintf(w, "%s: %d proved, %d refuted, %d unknown\n", count(len(p.Results), "claim", "claims"), p.Counts["proved"], p.Counts["refuted"], p.Counts["unknown"])
	return err
}

// refutation says what passes, or does not, and by which rule.
func refutation(r *prove.Result) string {
	verb := "passes"
	if r.Claim == prove.Always {
		verb = "does not pass"
	}
	out := fmt.Sprintf("%s %s: %s  %s", audit.Printable(r.Example), verb, r.Decision.Code, r.Decision.Rule)
	if r.Decision.File != "" {
		out += fmt.Sprintf("  %s:%d", r.Decision.File, r.Decision.Line)
	}
	if r.Decision.Passes && !r.Decision.Allow {
		out += "  (mode audit: passes)"
	}
	return out
}

// codeRefuted is the code of invariants that do not hold.
const codeRefuted = "OSP2041"

func (p *proof) findings(partial bool) []diag.Diagnostic {
	var out []diag.Diagnostic
	for _, r := range p.Results {
		if r.Verdict == prove.Proved {
			continue
		}
		why := r.Why
		if r.Verdict == prove.Refuted {
			why = refutation(&r)
		}
		d := diag.New(codeRefuted, r.Pos, fmt.Sprintf("%s, %s is %s: %s %s: %s", r.Policy, r.Invariant, r.Verdict, r.Claim, r.Pattern, why), "")
		if r.Decision != nil && r.Decision.File != "" {
			d.Related = []diag.Related{{Pos: diag.Position{File: r.Decision.File, Line: r.Decision.Line, Col: 1}, Message: r.Decision.Rule}}
		}
		out = append(out, d)
	}
	if !partial {
		for _, name := range p.Unmatched {
			out = append(out, diag.New(codeRefuted, p.at[name], name+" is about none of the policies", "choose policies by the names and labels that they have"))
		}
	}
	diag.Sort(out)
	return out
}
