package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
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

// testCase is a case with what it asks made canonical, so that it can be asked
// again.
type testCase struct {
	CaseResult
	asks    string // the policy that is asked: Policy, or the one joined with others
	with    bool
	inputs  []schemas.DecisionInput
	refused *schemas.Decision // what is malformed asks no policy
}

// prepare reads the cases of a test; only is the default of their policy.
func (r *Runner) prepare(doc *parse.Document, only string) []*testCase {
	spec := doc.Test.Spec
	var out []*testCase
	for i, c := range spec.Cases {
		t := &testCase{CaseResult: CaseResult{
			Pos: doc.Pos("spec", "cases", i), Policy: cmp.Or(c.Policy, spec.Policy, only), Ask: ask(c),
			Want: Want{Expect: c.Expect, Rule: c.Rule, Code: c.Code, Mode: c.Mode},
		}}
		t.Name = cmp.Or(c.Name, t.Ask)
		if r.Select != nil && !r.Select(t.Name) {
			continue
		}
		t.asks, t.with = t.Policy, len(c.With) > 0
		if t.with {
			t.asks = schemas.JoinedName(t.Policy, c.With)
		}
		t.read(c)
		out = append(out, t)
	}
	return out
}

// read makes the inputs of a case; what is wrong with the case is its reason.
func (t *testCase) read(c schemas.TestCase) {
	if t.Policy == "" {
		t.Reason = "spec.policies holds several policies, or none: the case, or spec.policy, must name one"
		return
	}
	inputs, err := Question{Policy: t.asks, Agent: c.Agent, Request: c.Request, File: c.File, Command: c.Command}.inputs()
	var malformed *canon.Error
	switch {
	case errors.As(err, &malformed):
		d := refused(t.asks, "", malformed)
		t.refused = &d
	case err != nil:
		t.Reason = err.Error()
	}
	t.inputs = inputs
}

// known says which policies there are to ask.
func known(g *rego.Generation, with map[string]bool) string {
	var names []string
	for _, p := range g.Policies() {
		if !with[p.Name] {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return ", which hold none"
	}
	return "; they hold " + strings.Join(names, ", ")
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

// ask asks the case of what was loaded.
func (t *testCase) ask(ctx context.Context, g *rego.Generation, with map[string]bool) {
	switch {
	case t.Reason != "":
		return
	case !g.Has(t.asks):
		t.Reason = fmt.Sprintf("no policy named %q in the files of spec.policies%s", t.Policy, known(g, with))
		return
	}
	d, _ := decide(ctx, g, t.inputs)
	if t.refused != nil {
		d = *t.refused
		d.Revision = g.Revision()
	}
	t.Got = &d
	t.Reason = t.judge(t.Got)
	t.Pass = t.Reason == ""
}

// judge says what of a decision is not as wanted, "" if all is, and makes the
// decision one of the policy that the case names.
func (t *testCase) judge(d *schemas.Decision) string {
	if t.with {
		d.Policy = t.Policy
		d.Rule = strings.TrimPrefix(d.Rule, t.Policy+"/")
	}
	return t.Want.differs(*d)
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
