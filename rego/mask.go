package rego

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas"
)

// masking is data.system.log.mask of a bundle, compiled.
type masking struct {
	digest digest
	mask   query
}

// masking compiles the mask modules; a bundle without any has none.
func (c *content) masking(old *masking) (*masking, error) {
	if len(c.masks) == 0 {
		return nil, nil
	}
	d := c.masks.sum()
	if old != nil && old.digest == d {
		return old, nil
	}
	modules := map[string]*ast.Module{}
	for name, text := range c.masks {
		m, err := parse("mask/"+name, text)
		if err != nil {
			return nil, err
		}
		if !m.Package.Path.Equal(systemLog()) {
			return nil, unfit("the mask module %s is package %s, not system.log", name, m.Package.Path)
		}
		if slices.ContainsFunc(m.Rules, func(r *ast.Rule) bool { return r.Head.Reference[0].Value.Compare(ast.Var("drop")) == 0 }) {
			return nil, unfit("the mask module %s defines drop: no record is ever dropped", name)
		}
		modules[name] = m
	}
	rules, err := compile("mask rules", modules)
	if err != nil {
		return nil, err
	}
	m := &masking{digest: d}
	m.mask, err = ask(rules, systemLog().Append(ast.StringTerm("mask")))
	return m, err
}

func systemLog() ast.Ref {
	return ast.DefaultRootRef.Append(ast.StringTerm("system")).Append(ast.StringTerm("log"))
}

// Masks evaluates data.system.log.mask over a record and returns what it names:
// a JSON pointer stands for its removal, as in OPA. A bundle without mask rules
// names nothing.
func (g *Generation) Masks(ctx context.Context, event any) ([]schemas.MaskOp, error) {
	if g == nil || g.masks == nil {
		return nil, nil
	}
	input, err := ast.InterfaceToValue(event)
	if err != nil {
		return nil, fmt.Errorf("mask rules: %w", err)
	}
	t, err := g.data.evaluate(ctx, &g.masks.mask, ast.NewTerm(input), true)
	if err == errUndefined {
		return nil, nil // rules that define no mask
	}
	if err != nil {
		return nil, fmt.Errorf("mask rules: %w", err)
	}
	set, ok := t.Value.(ast.Set)
	if !ok {
		return nil, fmt.Errorf("mask rules: data.system.log.mask is no set (write mask contains …)")
	}
	ops := make([]schemas.MaskOp, 0, set.Len())
	for _, e := range set.Slice() {
		op, err := maskOp(e)
		if err != nil {
			return nil, fmt.Errorf("mask rules: %w", err)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func maskOp(t *ast.Term) (schemas.MaskOp, error) {
	if s, ok := t.Value.(ast.String); ok {
		return schemas.MaskOp{Op: schemas.MaskRemove, Path: string(s)}, nil
	}
	var op schemas.MaskOp
	value, err := ast.JSON(t.Value)
	if err != nil {
		return op, err
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return op, err
	}
	if err := json.Unmarshal(encoded, &op); err != nil || op.Path == "" {
		return op, fmt.Errorf("%s is neither a JSON pointer nor {op, path, value}", encoded)
	}
	return op, nil
}
