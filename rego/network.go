package rego

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas"
)

// decideNetwork asks first for what decides, the matching rules, and for the
// nearest miss only on a denial. Both together equal data.openshell.decision.
func (g *Generation) decideNetwork(ctx context.Context, p *policy, in *schemas.DecisionInput) schemas.Decision {
	rules, err := p.network.get()
	if err != nil {
		return g.broken(in, err)
	}
	terms := borrowTerms()
	defer terms.release()
	hits, err := p.least(ctx, &rules.hit, terms.network(in.Network, rules.hits))
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	if hits != nil {
		ordinal, ok := intOf(hits)
		if !ok || ordinal >= len(p.index.Rules) {
			return g.fail(in, schemas.CodePolicyError)
		}
		return g.byRule(p, in, ordinal)
	}
	near, err := p.least(ctx, &rules.near, terms.network(in.Network, rules.nears))
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	return g.nearMiss(p, in, near)
}

// least returns the smallest element of a set-valued query, nil if it is empty.
func (p *policy) least(ctx context.Context, q *query, input *ast.Term) (*ast.Term, error) {
	v, err := p.evaluate(ctx, q, input, false)
	if err != nil {
		return nil, err
	}
	set, ok := v.Value.(ast.Set)
	if !ok {
		return nil, errUndefined
	}
	if set.Len() == 0 {
		return nil, nil
	}
	return set.Slice()[0], nil // sorted
}

func intOf(t *ast.Term) (int, bool) {
	n, ok := t.Value.(ast.Number)
	if !ok {
		return 0, false
	}
	i, ok := n.Int()
	return i, ok && i >= 0
}

func (g *Generation) byRule(p *policy, in *schemas.DecisionInput, ordinal int) schemas.Decision {
	r := &p.index.Rules[ordinal]
	return g.explain(in, r, r.Mode, r.decides(), nil)
}

// nearMiss denies with the first check that the nearest allow rule fails, or
// says that no rule names the host.
func (g *Generation) nearMiss(p *policy, in *schemas.DecisionInput, near *ast.Term) schemas.Decision {
	n := in.Network
	if near == nil {
		byDefault := &rule{ID: schemas.RuleDefault, Where: "policy " + in.Policy}
		return g.explain(in, byDefault, p.index.Mode, schemas.CodeHostNotInPolicy, func(key string) (string, bool) { return n.Host, key == "host" })
	}
	passed, ordinal, code, place, ok := nearOf(near)
	if !ok || ordinal >= len(p.index.Rules) {
		return g.fail(in, schemas.CodePolicyError)
	}
	r := &p.index.Rules[ordinal]
	mode := p.index.Mode
	if passed >= 2 {
		mode = r.Mode
	}
	return g.explain(in, r, mode, code, func(key string) (string, bool) {
		if key == "key" && place < len(r.Query) {
			return r.Query[place].Key, true
		}
		return missed(n, r, key)
	})
}

// missed gives the values that messages about a near miss may name.
func missed(n *schemas.NetworkInput, r *rule, key string) (string, bool) {
	switch key {
	case "host":
		return n.Host, true
	case "port":
		return strconv.Itoa(n.Port), true
	case "scheme":
		return n.Scheme, true
	case "method":
		return n.Method, true
	case "path":
		return n.Path, true
	case "binary":
		if n.Binary == "" {
			return "an unknown program", true
		}
		return n.Binary, true
	case "ports":
		return r.Ports, true
	case "methods":
		return r.Methods, true
	case "detail":
		return "the path holds %2F, which " + r.Where + " does not take; it needs encoded_slash: allow", true
	}
	return "", false
}

// nearOf takes [-passed, ordinal, code] apart, or with the place of the query key
// that failed, negative, at the end.
func nearOf(t *ast.Term) (passed, ordinal int, code schemas.Code, place int, ok bool) {
	a, isArray := t.Value.(*ast.Array)
	if !isArray || a.Len() < 3 || a.Len() > 4 {
		return 0, 0, "", 0, false
	}
	if a.Len() == 4 {
		if place, ok = negated(a.Elem(3)); !ok {
			return 0, 0, "", 0, false
		}
	}
	word, ok1 := a.Elem(2).Value.(ast.String)
	ordinal, ok2 := intOf(a.Elem(1))
	passed, ok3 := negated(a.Elem(0))
	return passed, ordinal, schemas.Code(word), place, ok1 && ok2 && ok3
}

func negated(t *ast.Term) (int, bool) {
	n, ok := t.Value.(ast.Number)
	if !ok {
		return 0, false
	}
	i, ok := n.Int()
	return -i, ok && i <= 0
}

// decideWhole evaluates data.openshell.decision, as any OPA would.
func (g *Generation) decideWhole(ctx context.Context, p *policy, in *schemas.DecisionInput) schemas.Decision {
	rules, err := p.whole.get()
	if err != nil {
		return g.broken(in, err)
	}
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	t, err := p.evaluate(ctx, &rules.decision, ast.NewTerm(value), true)
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	d, err := decisionOf(t)
	if err != nil || d.Code == "" || d.Allow != (d.Code == schemas.CodeAllowed) {
		return g.fail(in, schemas.CodePolicyError)
	}
	return d
}

func decisionOf(t *ast.Term) (d schemas.Decision, err error) {
	value, err := ast.JSON(t.Value)
	if err != nil {
		return d, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(encoded, &d)
}
