// Package regotest runs the Rego tests that stand beside policies: the rules
// test_… of files *_test.rego, by OPA's own tester, with the built-ins that
// decisions may use and nothing more.
package regotest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/openshell-policy/openshell/schemas/tables"
)

// Timeout bounds one test.
const Timeout = 5 * time.Second

// Result is one test rule.
type Result struct {
	Package string // without data.
	Name    string // with the names of a table's case behind it
	File    string
	Line    int
	Pass    bool
	Skipped bool   // its name begins with todo_
	Reason  string // why it failed
}

// SyntaxError is a module that does not parse or compile.
type SyntaxError struct{ Errors ast.Errors }

// Error lists what is wrong, a line for each.
func (e *SyntaxError) Error() string {
	lines := make([]string, len(e.Errors))
	for i, one := range e.Errors {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Run runs the tests of modules, given by file name. select, which may be nil,
// takes the name of a test as Result has it, without a table's case.
func Run(ctx context.Context, modules map[string]string, choose func(name string) bool) ([]Result, error) {
	parsed := map[string]*ast.Module{}
	var wrong ast.Errors
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m, err := ast.ParseModuleWithOpts(name, modules[name], ast.ParserOptions{
			RegoVersion: ast.RegoV1, Capabilities: capabilities(), ProcessAnnotation: true,
		})
		if errs, ok := err.(ast.Errors); ok {
			wrong = append(wrong, errs...)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", name, err)
		}
		parsed[name] = m
	}
	if len(wrong) > 0 {
		return nil, &SyntaxError{wrong}
	}
	return run(ctx, parsed, choose)
}

func run(ctx context.Context, modules map[string]*ast.Module, choose func(string) bool) ([]Result, error) {
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithEnablePrintStatements(false).WithStrict(true).WithDefaultRegoVersion(ast.RegoV1)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, &SyntaxError{compiler.Errors}
	}
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("run Rego tests: %w", err)
	}
	defer store.Abort(ctx, txn)
	ch, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(modules).SetTimeout(Timeout).
		RaiseBuiltinErrors(true).RunTests(ctx, txn)
	if err != nil {
		return nil, fmt.Errorf("run Rego tests: %w", err)
	}
	var out []Result
	for r := range ch {
		if choose == nil || choose(r.Name) {
			out = append(out, results(r)...)
		}
	}
	slices.SortStableFunc(out, func(a, b Result) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return out, nil
}

func results(r *tester.Result) []Result {
	one := Result{
		Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name, Pass: r.Pass(), Skipped: r.Skip,
	}
	if r.Location != nil {
		one.File, one.Line = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		one.Reason = r.Error.Error()
		if topdown.IsCancel(r.Error) {
			one.Reason = fmt.Sprintf("still running after %s", Timeout)
		}
	case r.Fail:
		one.Reason = "the test is false or undefined"
	}
	if len(r.SubResults) == 0 {
		return []Result{one}
	}
	var out []Result
	for names, sub := range r.SubResults.Iter {
		if len(sub.SubResults) > 0 {
			continue // only the leaves are cases
		}
		c := one
		c.Name = r.Name + "/" + strings.Join(names, "/")
		c.Pass, c.Reason = !sub.Fail, ""
		if sub.Fail {
			c.Reason = "the case is false or undefined"
		}
		out = append(out, c)
	}
	return out
}

// capabilities are those of the engine: no I/O, no clock, no randomness.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tables.Builtins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowed, b.Name) && !strings.HasPrefix(b.Name, "internal.")
	})
	c.AllowNet = []string{}
	return c
}
