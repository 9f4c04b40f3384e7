package analysis

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// CaseResult is one case of a test file with the decision it got.
type CaseResult struct {
	Name   string            `json:"name"`
	Pos    diag.Position     `json:"position"`
	Policy string            `json:"policy"`
	Ask    string            `json:"ask"` // the request, file operation or command
	Want   Want              `json:"want"`
	Got    *schemas.Decision `json:"got,omitempty"` // nil if the case could not be asked
	Pass   bool              `json:"pass"`
	Reason string            `json:"reason,omitempty"` // why it failed
}

// Want is what a case expects.
type Want struct {
	Expect string       `json:"expect"` // allow or deny
	Rule   string       `json:"rule,omitempty"`
	Code   schemas.Code `json:"code,omitempty"`
	Mode   schemas.Mode `json:"mode,omitempty"`
}

func runCases(ctx context.Context, g *rego.Generation, doc *parse.Document, with map[string]bool) []CaseResult {
	spec := doc.Test.Spec
	only := onlyPolicy(g, with)
	results := make([]CaseResult, len(spec.Cases))
	for i, c := range spec.Cases {
		r := CaseResult{
			Pos: doc.Pos("spec", "cases", i), Policy: cmp.Or(c.Policy, spec.Policy, only), Ask: ask(c),
			Want: Want{Expect: c.Expect, Rule: c.Rule, Code: c.Code, Mode: c.Mode},
		}
		r.Name = cmp.Or(c.Name, r.Ask)
		r.judge(ctx, g, c)
		results[i] = r
	}
	return results
}

// onlyPolicy is the default of cases: the policy, if there is only one.
func onlyPolicy(g *rego.Generation, with map[string]bool) string {
	name := ""
	for _, p := range g.Policies() {
		switch {
		case with[p.Name]:
		case name != "":
			return ""
		default:
			name = p.Name
		}
	}
	return name
}

func ask(c schemas.TestCase) string {
	switch {
	case c.Request != nil:
		return c.Request.Method + " " + c.Request.URL
	case c.File != "":
		return c.File
	}
	return c.Command
}

func (r *CaseResult) judge(ctx context.Context, g *rego.Generation, c schemas.TestCase) {
	policy := r.Policy
	if policy == "" {
		r.Reason = "spec.policies holds several policies, or none: the case, or spec.policy, must name one"
		return
	}
	if len(c.With) > 0 {
		policy = joined(r.Policy, c.With)
	}
	if !g.Has(policy) {
		r.Reason = fmt.Sprintf("no policy named %q in the files of spec.policies", policy)
		return
	}
	a, err := Ask(ctx, g, Question{Policy: policy, Agent: c.Agent, Request: c.Request, File: c.File, Command: c.Command})
	if err != nil {
		r.Reason = err.Error()
		return
	}
	d := a.Decision
	if len(c.With) > 0 {
		d.Policy = r.Policy
		d.Rule = strings.TrimPrefix(d.Rule, r.Policy+"/")
	}
	r.Got = &d
	r.Reason = r.Want.differs(d)
	r.Pass = r.Reason == ""
}

// differs says what is not as wanted; "" if all is.
func (w Want) differs(d schemas.Decision) string {
	var parts []string
	if verdict(d) != w.Expect {
		parts = append(parts, fmt.Sprintf("%s, not %s", verdict(d), w.Expect))
	}
	if w.Code != "" && w.Code != d.Code {
		parts = append(parts, fmt.Sprintf("code %s, not %s", d.Code, w.Code))
	}
	if w.Rule != "" && w.Rule != d.Rule {
		parts = append(parts, fmt.Sprintf("rule %s, not %s", d.Rule, w.Rule))
	}
	if w.Mode != "" && w.Mode != d.Mode {
		parts = append(parts, fmt.Sprintf("mode %s, not %s", d.Mode, w.Mode))
	}
	return strings.Join(parts, "; ")
}

func verdict(d schemas.Decision) string {
	if d.Allow {
		return "allow"
	}
	return "deny"
}
