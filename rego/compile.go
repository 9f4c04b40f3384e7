package rego

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// query is a compiled body that binds the variable answer.
type query struct {
	body     ast.Body
	rules    *ast.Compiler
	compiler ast.QueryCompiler
}

const answer = ast.Var("answer")

// compiling lets one compilation run at a time in the whole process: OPA's type
// checker writes to types that all its compilers share (mergeTypes in
// v1/ast/env.go widens the properties of a built-in's type in place).
var compiling sync.Mutex

// whole is what decides a policy's files and commands: the library over the
// generated modules. It answers data.openshell.decision as any OPA would.
type whole struct{ decision query }

func (c *content) whole(lib *library, name string, old *policy) *lazy[whole] {
	own := c.policies[name]
	d := sum(lib.digest[:], []byte(name), own["file"], own["exec"])
	if old != nil && old.whole.digest == d {
		return old.whole
	}
	return later(d, func() (*whole, error) { return compileWhole(lib, name, own) })
}

func compileWhole(lib *library, name string, own files) (*whole, error) {
	parsed, err := lib.parse()
	if err != nil {
		return nil, err
	}
	modules := map[string]*ast.Module{}
	for file, m := range parsed {
		modules["lib/"+file] = m
	}
	for _, surface := range []string{"file", "exec"} {
		m, err := parse(name+"/"+surface+".rego", own[surface])
		if err != nil {
			return nil, err
		}
		if !m.Package.Path.Equal(generated(name, surface)) {
			return nil, unfit("the module %s of policy %q is package %s", surface, name, m.Package.Path)
		}
		modules[surface] = m
	}
	rules, err := compile("policy "+name, modules)
	if err != nil {
		return nil, err
	}
	w := &whole{}
	w.decision, err = ask(rules, openshell("decision"))
	return w, err
}

// library is the Rego library of a bundle, parsed when it is first needed.
type library struct {
	digest digest
	text   files
	once   sync.Once
	parsed map[string]*ast.Module
	err    error
}

func (c *content) lib(old *library) *library {
	d := c.library.sum()
	if old != nil && old.digest == d {
		return old
	}
	return &library{digest: d, text: c.library}
}

func (l *library) parse() (map[string]*ast.Module, error) {
	l.once.Do(func() { l.parsed, l.err = l.text.parseLibrary() })
	return l.parsed, l.err
}

func (f files) parseLibrary() (map[string]*ast.Module, error) {
	parsed := map[string]*ast.Module{}
	for name, text := range f {
		m, err := parse("lib/"+name, text)
		if err != nil {
			return nil, err
		}
		if path := m.Package.Path; !path.HasPrefix(openshell()) || path.HasPrefix(openshell("policies")) || path.HasPrefix(openshell("extension")) {
			return nil, unfit("the library holds package %s", path)
		}
		parsed[name] = m
	}
	return parsed, nil
}

func parse(name string, text []byte) (*ast.Module, error) {
	m, err := ast.ParseModuleWithOpts(name, string(text), ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
	if err != nil {
		return nil, unfit("%v", err)
	}
	return m, nil
}

func compile(what string, modules map[string]*ast.Module) (*ast.Compiler, error) {
	compiling.Lock()
	defer compiling.Unlock()
	return compileWith(ast.NewCompiler(), what, modules)
}

func compileWith(c *ast.Compiler, what string, modules map[string]*ast.Module) (*ast.Compiler, error) {
	c.WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	if c.Compile(modules); c.Failed() {
		return nil, &archive.Error{Code: archive.CodeContent, Detail: fmt.Sprintf("%s does not compile: %v", what, c.Errors)}
	}
	return c, nil
}

// ask compiles the query for one document.
func ask(rules *ast.Compiler, ref ast.Ref) (query, error) {
	compiling.Lock()
	defer compiling.Unlock()
	qc := rules.QueryCompiler()
	body, err := qc.Compile(ast.NewBody(ast.Equality.Expr(ast.NewTerm(ref), ast.NewTerm(answer))))
	if err != nil {
		return query{}, fmt.Errorf("compile query %s: %w", ref, err)
	}
	return query{body: body, rules: rules, compiler: qc}, nil
}

// openshell is a reference below data.openshell.
func openshell(path ...string) ast.Ref {
	ref := ast.DefaultRootRef.Append(ast.StringTerm("openshell"))
	for _, p := range path {
		ref = ref.Append(ast.StringTerm(p))
	}
	return ref
}

func generated(policy, surface string) ast.Ref { return openshell("policies", policy, surface) }

// capabilities allows the built-ins that decide and nothing that reaches out,
// reads a clock or draws a random number, whoever built the bundle.
var capabilities = sync.OnceValue(func() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tables.Builtins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowed, b.Name) && !strings.HasPrefix(b.Name, "internal.member")
	})
	c.AllowNet = []string{}
	return c
})
