package rego

import (
	"context"
	"regexp"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas"
)

// extensionBudget bounds what the extensions take for one input; past it the input
// is denied.
const extensionBudget = 500 * time.Millisecond

// extensions are the owner's modules of a bundle, compiled with the module of the
// library that says what they deny.
type extensions struct {
	digest  digest
	verdict query
	codes   map[string]bool // that they may give, with their prefix
}

// extended compiles the extensions; a bundle without any has none.
func (c *content) extended(lib *library, old *extensions) (*extensions, error) {
	if len(c.extensions) == 0 {
		return nil, nil
	}
	names := c.extensions.sum()
	d := sum(lib.digest[:], names[:])
	if old != nil && old.digest == d {
		return old, nil
	}
	parsed, err := lib.parse()
	if err != nil {
		return nil, err
	}
	judge := parsed["extensions.rego"]
	if judge == nil || !judge.Package.Path.Equal(openshell("extensions")) {
		return nil, unfit("its library does not know extensions")
	}
	x := &extensions{digest: d, codes: map[string]bool{}}
	modules := map[string]*ast.Module{"lib/extensions.rego": judge}
	for name, text := range c.extensions {
		m, err := parse("extensions/"+name, text)
		if err != nil {
			return nil, err
		}
		if err := x.admit(m); err != nil {
			return nil, err
		}
		modules["extensions/"+name] = m
	}
	rules, err := compile("extensions", modules)
	if err != nil {
		return nil, err
	}
	x.verdict, err = ask(rules, openshell("extensions", "verdict"))
	return x, err
}

var (
	extensionName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	extensionCode = extensionName
)

// admit holds a module to what an extension is: package openshell.extension.NAME,
// deny as a set of objects whose code is written out, and nothing read but the
// input and extensions.
func (x *extensions) admit(m *ast.Module) error {
	path := m.Package.Path
	if len(path) != 4 || !path.HasPrefix(openshell("extension")) {
		return unfit("an extension is package %s, not openshell.extension.NAME", path)
	}
	name, ok := path[3].Value.(ast.String)
	if !ok || !extensionName.MatchString(string(name)) {
		return unfit("an extension is named %s", path[3])
	}
	for _, r := range m.Rules {
		if string(r.Head.Reference[0].Value.(ast.Var)) != "deny" {
			continue
		}
		code, ok := denialCode(r)
		if !ok {
			return unfit("%s: deny of extension %s does not contain {\"code\": \"word\", \"message\": …}", r.Location, name)
		}
		x.codes["ext_"+string(name)+"_"+code] = true
	}
	return readsInputOnly(m)
}

// denialCode is the code that a rule of deny adds, written out in its head.
func denialCode(r *ast.Rule) (string, bool) {
	if len(r.Head.Reference) != 1 || r.Head.Key == nil || r.Head.Value != nil || r.Default || r.Else != nil {
		return "", false
	}
	object, ok := r.Head.Key.Value.(ast.Object)
	if !ok || object.Len() != 2 || object.Get(ast.StringTerm("message")) == nil {
		return "", false
	}
	code := object.Get(ast.StringTerm("code"))
	if code == nil {
		return "", false
	}
	word, ok := code.Value.(ast.String)
	return string(word), ok && extensionCode.MatchString(string(word))
}

// readsInputOnly refuses references to data that is not of extensions: what an
// extension says depends on the input alone.
func readsInputOnly(m *ast.Module) error {
	var err error
	ast.WalkRefs(m, func(ref ast.Ref) bool {
		if len(ref) > 0 && ref[0].Equal(ast.DefaultRootDocument) && !ref.HasPrefix(openshell("extension")) {
			err = unfit("extension %s reads %s; it may read the input and other extensions", m.Package.Path, ref)
		}
		return false
	})
	return err
}

// extend asks the extensions about an input that the policy lets pass.
func (g *Generation) extend(ctx context.Context, p *policy, in *schemas.DecisionInput, d schemas.Decision) schemas.Decision {
	if g.extensions == nil || !d.Passes() {
		return d
	}
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	t, err := g.data.evaluateWithin(ctx, extensionBudget, &g.extensions.verdict, ast.NewTerm(value), true)
	if err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	var verdict struct{ Code, Message, Rule, Name string }
	if err := ast.As(t.Value, &verdict); err != nil {
		return g.fail(in, schemas.CodePolicyError)
	}
	switch {
	case verdict.Code == string(schemas.CodeAllowed):
		return d
	case !g.extensions.codes[verdict.Code]:
		return g.fail(in, schemas.CodePolicyError)
	case !d.Allow && p.index.Mode == schemas.ModeAudit:
		return d // both are let through; the policy's reason is kept
	}
	return schemas.Decision{
		Mode: p.index.Mode, Code: schemas.Code(verdict.Code), Message: verdict.Message, Rule: verdict.Rule,
		Policy: in.Policy, Revision: g.revision, Source: g.sources[verdict.Name],
	}
}
