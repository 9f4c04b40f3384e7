package rego

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// compiled is a policy ready to be queried. It outlives a generation as long as
// its modules do not change.
type compiled struct {
	name     string
	digest   [sha256.Size]byte
	compiler *ast.Compiler
	hit      query
	near     query
	decision query
	hits     fieldSet // of input.network that hit reads
	nears    fieldSet // of input.network that near reads, with its helpers
}

// query is a compiled body that binds the variable answer.
type query struct {
	body     ast.Body
	compiler ast.QueryCompiler
}

const answer = ast.Var("answer")

// compiling lets one compilation run at a time in the whole process: OPA's type
// checker writes to types that all its compilers share (mergeTypes in
// v1/ast/env.go widens the properties of a built-in's type in place).
var compiling sync.Mutex

// compile compiles the library with one policy's modules.
func compile(c *content, name string, digest [sha256.Size]byte) (*compiled, error) {
	compiling.Lock()
	defer compiling.Unlock()
	modules := map[string]*ast.Module{}
	for file, m := range c.library {
		modules["lib/"+file] = m
	}
	p := &compiled{name: name, digest: digest}
	for file, f := range c.modules[name] {
		if err := owns(f.Parsed, name); err != nil {
			return nil, err
		}
		modules[file] = f.Parsed
		if file == "network.rego" {
			p.hits, p.nears = fieldsOf(f.Parsed)
		}
	}
	p.compiler = ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	if p.compiler.Compile(modules); p.compiler.Failed() {
		return nil, fmt.Errorf("compile policy %q: %w", name, p.compiler.Errors)
	}
	var err error
	generated := ast.DefaultRootRef.Append(ast.StringTerm("openshell")).Append(ast.StringTerm("policies")).Append(ast.StringTerm(name)).Append(ast.StringTerm("network"))
	if p.hit, err = p.query(generated.Append(ast.StringTerm("hit"))); err != nil {
		return nil, err
	}
	if p.near, err = p.query(generated.Append(ast.StringTerm("near"))); err != nil {
		return nil, err
	}
	p.decision, err = p.query(ast.DefaultRootRef.Append(ast.StringTerm("openshell")).Append(ast.StringTerm("decision")))
	return p, err
}

// owns refuses a module that would define rules of another policy.
func owns(m *ast.Module, name string) error {
	prefix := ast.DefaultRootRef.Append(ast.StringTerm("openshell")).Append(ast.StringTerm("policies")).Append(ast.StringTerm(name))
	if !m.Package.Path.HasPrefix(prefix) {
		return fmt.Errorf("compile policy %q: a module of it is package %s", name, m.Package.Path)
	}
	return nil
}

func (p *compiled) query(ref ast.Ref) (query, error) {
	qc := p.compiler.QueryCompiler()
	body, err := qc.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(ref), ast.NewTerm(answer))))
	if err != nil {
		return query{}, fmt.Errorf("compile query %s: %w", ref, err)
	}
	return query{body: body, compiler: qc}, nil
}

// capabilities allows the built-ins that decide and nothing that reaches out,
// reads a clock or draws a random number, whoever built the bundle.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tables.Builtins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowed, b.Name) && !strings.HasPrefix(b.Name, "internal.member")
	})
	c.AllowNet = []string{}
	return c
}
