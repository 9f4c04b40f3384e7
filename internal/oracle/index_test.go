package oracle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// The rule index leaves as many candidates of a thousand rules as of ten.
func TestIndexLeavesAsManyOfAThousandRules(t *testing.T) {
	for _, test := range []struct {
		name, host, path, request string
	}{
		{"exact host", "h%d.example.com", "", "https://h5.example.com/a"},
		{"one label", "*.h%d.example.com", "", "https://a.h5.example.com/a"},
		{"labels", "**.h%d.example.com", "", "https://a.b.h5.example.com/a"},
		{"part of a label", "a*.h%d.example.com", "", "https://ab.h5.example.com/a"},
		{"middle label", "a.*.h%d.example.com", "", "https://a.b.h5.example.com/a"},
		{"no host", "h%d.example.com", "", "https://other.example.com/a"},
		{"exact path", "example.com", "/p%d", "https://example.com/p5"},
		{"path below", "example.com", "/p%d/**", "https://example.com/p5/a/b"},
		{"path segment", "example.com", "/p%d/*", "https://example.com/p5/a"},
		{"first segment", "example.com", "/*/p%d", "https://example.com/a/p5"},
		{"path in the middle", "example.com", "/a/*/p%d/*", "https://example.com/a/b/p5/c"},
		{"part of a segment", "example.com", "/p%d/a*", "https://example.com/p5/ab"},
		{"segment and below", "example.com", "/*/p%d/**", "https://example.com/a/p5/b/c"},
		{"no path", "example.com", "/p%d/*", "https://example.com/other/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := networkInput(t, test.request)
			few, many := compiled(t, numbered(test.host, test.path, 10)), compiled(t, numbered(test.host, test.path, 1000))
			for _, set := range []string{"hit", "near"} {
				a, b := candidates(t, few, set, in), candidates(t, many, set, in)
				if a != b || b > 5 {
					t.Errorf("%s: the index leaves %d candidates of 10 rules, %d of 1,000", set, a, b)
				}
			}
			// The rule that only makes the set exist is always there.
			if n := candidates(t, many, "hit", in); n < 2 && test.name[:2] != "no" {
				t.Error("no rule is a candidate")
			}
		})
	}
}

// numbered are allow rules, and deny rules for another port, whose hosts and
// paths differ by a number.
func numbered(host, path string, n int) *schemas.SandboxPolicy {
	network := &schemas.Network{}
	number := func(pattern string, i int) string {
		if !bytes.Contains([]byte(pattern), []byte("%d")) {
			return pattern
		}
		return fmt.Sprintf(pattern, i)
	}
	for i := range n {
		r := schemas.NetworkRule{Host: number(host, i), Methods: []string{"GET"}}
		if path != "" {
			r.Paths = []string{number(path, i)}
		}
		network.Outbound = append(network.Outbound, r)
		r.Ports = []int{8443}
		network.Denied = append(network.Denied, r)
	}
	return &schemas.SandboxPolicy{
		APIVersion: "openshell.nvidia.com/v1alpha1", Kind: "SandboxPolicy", Metadata: schemas.Metadata{Name: "numbered"},
		Spec: schemas.Spec{Network: network},
	}
}

func networkInput(t *testing.T, url string) ast.Value {
	t.Helper()
	r, err := canon.ParseRequest("GET", url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "numbered", Network: &c.Readings[0]})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// candidates counts the rules of a generated set that the index leaves.
func candidates(t *testing.T, c *ast.Compiler, set string, in ast.Value) int {
	t.Helper()
	ref := ast.MustParseRef(`data.openshell.policies["numbered"].network.` + set)
	index := c.RuleIndex(ref)
	if index == nil {
		t.Fatalf("%v has no index", ref)
	}
	result, err := index.Lookup(resolver{in})
	if err != nil {
		t.Fatal(err)
	}
	return len(result.Rules)
}

func compiled(t *testing.T, p *schemas.SandboxPolicy) *ast.Compiler {
	t.Helper()
	r := compiler.Compile([]compiler.Source{{Name: "numbered.yaml", Data: []byte(render(p))}}, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatal(reasons(r.Diagnostics))
	}
	b, err := bundle.NewReader(bytes.NewReader(r.Bundle)).Read()
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for _, m := range b.Modules {
		if m.Parsed.Package.Path.HasPrefix(ast.MustParseRef("data.openshell.policies")) {
			modules[m.Path] = m.Parsed
		}
	}
	c := ast.NewCompiler()
	if c.Compile(modules); c.Failed() {
		t.Fatal(c.Errors)
	}
	return c
}

// resolver finds references in an input.
type resolver struct{ input ast.Value }

func (r resolver) Resolve(ref ast.Ref) (ast.Value, error) {
	if !ref.HasPrefix(ast.InputRootRef) {
		return nil, ast.UnknownValueErr{}
	}
	v, err := r.input.Find(ref[1:])
	if err != nil {
		return nil, nil
	}
	return v, nil
}
