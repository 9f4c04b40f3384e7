package oracle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	oparego "github.com/open-policy-agent/opa/v1/rego"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// world is a bundle with what decides by it.
type world struct {
	policies []*schemas.SandboxPolicy // those that compiled
	refused  map[string]string        // why the others did not, by name
	engine   *rego.Generation
	stock    oparego.PreparedEvalQuery
}

// render writes a policy as a YAML flow.
func render(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		panic(err) // wire types
	}
	return b.String()
}

// newWorld compiles those of the policies that can be.
func newWorld(policies []*schemas.SandboxPolicy) (*world, error) {
	w := &world{refused: map[string]string{}}
	options := compiler.Options{Rego: rego.Library(), Name: "oracle"}
	var sources []compiler.Source
	for _, p := range policies {
		one := compiler.Source{Name: p.Metadata.Name + ".yaml", Data: []byte(render(p))}
		r := compiler.Compile([]compiler.Source{one}, options)
		if r.Bundle == nil {
			w.refused[p.Metadata.Name] = reasons(r.Diagnostics)
			continue
		}
		w.policies, sources = append(w.policies, p), append(sources, one)
	}
	if len(sources) == 0 {
		return w, nil
	}
	r := compiler.Compile(sources, options)
	if r.Bundle == nil {
		return nil, fmt.Errorf("together: %s", reasons(r.Diagnostics))
	}
	return w, w.load(r.Bundle)
}

func reasons(ds []diag.Diagnostic) string {
	out := ""
	for _, d := range ds {
		if d.Severity == "error" {
			out += d.Code + " " + d.Message + "; "
		}
	}
	return out
}

func (w *world) load(text []byte) (err error) {
	if w.engine, err = rego.New(rego.Options{CacheSize: -1}).Load(text); err != nil {
		return err
	}
	b, err := bundle.NewReader(bytes.NewReader(text)).WithSkipBundleVerification(true).Read()
	if err != nil {
		return err
	}
	w.stock, err = oparego.New(oparego.Query("data.openshell.decision"), oparego.ParsedBundle("oracle", &b),
		oparego.StrictBuiltinErrors(true)).PrepareForEval(context.Background())
	return err
}

func (w *world) policy(name string) *schemas.SandboxPolicy {
	for _, p := range w.policies {
		if p.Metadata.Name == name {
			return p
		}
	}
	return nil
}

// asks are the answers to one input.
type asks struct {
	Oracle  answer
	Engine  schemas.Decision
	Indexed *schemas.Decision // stock OPA; nil where it was not asked
	Plain   *schemas.Decision // the same without its rule index
}

func (a *asks) agree() bool {
	for _, d := range []*schemas.Decision{a.Indexed, a.Plain} {
		if d != nil && render(d) != render(a.Engine) {
			return false
		}
	}
	return a.Oracle == answer{a.Engine.Allow, a.Engine.Code, a.Engine.Rule}
}

// String says once what is the same.
func (a *asks) String() string {
	out := fmt.Sprintf("reading: %+v\nengine:  %s", a.Oracle, render(a.Engine))
	if a.Indexed != nil && render(a.Indexed) != render(a.Engine) {
		out += "stock, indexed: " + render(a.Indexed)
	}
	if a.Plain != nil && render(a.Plain) != render(a.Engine) {
		out += "stock, not indexed: " + render(a.Plain)
	}
	return out
}

func (w *world) ask(in *schemas.DecisionInput, stock bool) (*asks, error) {
	ctx := context.Background()
	a := &asks{Oracle: denied(schemas.CodeNoPolicy, schemas.RuleDefault), Engine: w.engine.Decide(ctx, in)}
	if p := w.policy(in.Policy); p != nil {
		a.Oracle = decide(p, in)
	}
	if !stock {
		return a, nil
	}
	text, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	value, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	if a.Indexed, err = w.askStock(ctx, value, true); err != nil {
		return nil, err
	}
	a.Plain, err = w.askStock(ctx, value, false)
	return a, err
}

func (w *world) askStock(ctx context.Context, in ast.Value, indexing bool) (*schemas.Decision, error) {
	rs, err := w.stock.Eval(ctx, oparego.EvalParsedInput(in), oparego.EvalRuleIndexing(indexing))
	if err != nil {
		return nil, err
	}
	if len(rs) != 1 {
		return nil, fmt.Errorf("%d results", len(rs))
	}
	text, err := json.Marshal(rs[0].Expressions[0].Value)
	if err != nil {
		return nil, err
	}
	d := &schemas.Decision{}
	r := json.NewDecoder(bytes.NewReader(text))
	r.DisallowUnknownFields()
	return d, r.Decode(d)
}
