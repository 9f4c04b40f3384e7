package rego

import (
	"errors"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

// network is what decides a policy's requests: its generated module alone, for
// the sets hit and near need nothing of the library.
type network struct {
	hit   query
	near  query
	hits  fieldSet // of input.network that hit reads
	nears fieldSet // of input.network that near reads, with its helpers
}

func (c *content) network(name string, old *policy) *lazy[network] {
	text := c.policies[name]["network"]
	d := sum([]byte(name), text)
	if old != nil && old.network.digest == d {
		return old.network
	}
	return later(d, func() (*network, error) { return compileNetwork(name, text) })
}

func compileNetwork(name string, text []byte) (*network, error) {
	m, err := parse(name+"/network.rego", text)
	if err != nil {
		return nil, err
	}
	if !m.Package.Path.Equal(generated(name, "network")) {
		return nil, unfit("the requests of policy %q are package %s", name, m.Package.Path)
	}
	n := &network{}
	n.hits, n.nears = fieldsOf(m)
	var errHit, errNear error
	var both sync.WaitGroup
	both.Go(func() { n.hit, errHit = set(name, "hit", without(m, "near", "late", "elsewhere")) })
	both.Go(func() { n.near, errNear = set(name, "near", without(m, "hit")) })
	both.Wait()
	return n, errors.Join(errHit, errNear)
}

// set compiles a module for the question what one of its sets holds.
func set(policy, name string, m *ast.Module) (query, error) {
	c := ast.NewCompiler().WithSkipStages(needless()...)
	rules, err := compileWith(c, "policy "+policy, map[string]*ast.Module{"network": m})
	if err != nil {
		return query{}, err
	}
	return ask(rules, generated(policy, "network").Append(ast.StringTerm(name)))
}

// without is a module less some of its rules: each of the two sets is compiled
// without what only the other needs, both at a time.
func without(m *ast.Module, names ...string) *ast.Module {
	out := *m
	out.Rules = make([]*ast.Rule, 0, len(m.Rules))
	for _, r := range m.Rules {
		keep := true
		for _, name := range names {
			keep = keep && string(r.Head.Name) != name
		}
		if keep {
			out.Rules = append(out.Rules, r)
		}
	}
	return &out
}

// needless are the stages that generated rules do without: they neither change
// what is evaluated nor keep a built-in out. An operand of a wrong type is an
// error of the evaluation, and denies. Without the type checker, whose types all
// compilers share, compilations may run side by side.
func needless() []ast.StageID {
	return []ast.StageID{
		ast.StageCheckUnusedImports, ast.StageCheckDuplicateImports, ast.StageParseMetadataBlocks, ast.StageSetAnnotationSet,
		ast.StageRewriteTestRulesForTracing, ast.StageCheckTypes, ast.StageCheckDeprecatedBuiltins,
		ast.StageBuildComprehensionIndices, ast.StageBuildRequiredCapabilities,
	}
}
