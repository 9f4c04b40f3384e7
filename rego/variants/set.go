package variants

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// Set decides by variants that were compiled together. It is safe for concurrent
// use.
type Set struct {
	query rego.PreparedEvalQuery
	txn   storage.Transaction // over data that nobody changes; never closed
}

// compiling lets one compilation run at a time: OPA's type checker writes to
// types that all its compilers share. It does not keep an Engine from loading at
// the same time, which the caller has to.
var compiling sync.Mutex

// Compile compiles variants; it must not run while an Engine loads.
func (b *Base) Compile(ctx context.Context, vs []Variant) (*Set, error) {
	modules, err := b.modules(vs)
	if err != nil {
		return nil, err
	}
	index := map[string]any{}
	for _, v := range vs {
		var x any
		if err := recode(v.Index, &x); err != nil {
			return nil, fmt.Errorf("variant %q: %w", v.Name, err)
		}
		index[v.Name] = x
	}
	data := maps.Clone(b.data)
	data["index"] = index
	data["hints"] = []any{} // most of the cost of a denial, and no part of the verdict
	compiling.Lock()
	defer compiling.Unlock()
	c := ast.NewCompiler().WithCapabilities(capabilities()).WithDefaultRegoVersion(ast.RegoV1)
	if c.Compile(modules); c.Failed() {
		return nil, fmt.Errorf("compile variants: %w", c.Errors)
	}
	store := inmem.NewFromObjectWithOpts(map[string]any{"openshell": data}, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	query, err := rego.New(rego.Query("data.openshell.decision"), rego.Compiler(c), rego.Store(store), rego.StrictBuiltinErrors(true)).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("compile variants: %w", err)
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the variants' data: %w", err)
	}
	return &Set{query, txn}, nil
}

// capabilities are those of the engine.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	allowed := tables.Builtins()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return !slices.Contains(allowed, b.Name) && !strings.HasPrefix(b.Name, "internal.member")
	})
	c.AllowNet = []string{}
	return c
}

// Decide decides one input, whose policy is the name of a variant. The decision
// has no hint.
func (s *Set) Decide(ctx context.Context, in *schemas.DecisionInput) (schemas.Decision, error) {
	value, err := ast.InterfaceToValue(in)
	if err != nil {
		return schemas.Decision{}, fmt.Errorf("encode input: %w", err)
	}
	// Without a cancel of its own, an evaluation starts a goroutine.
	results, err := s.query.Eval(ctx, rego.EvalParsedInput(value), rego.EvalTransaction(s.txn), rego.EvalMetrics(metrics.NoOp()),
		rego.EvalExternalCancel(topdown.NewCancel()))
	if err != nil {
		return schemas.Decision{}, fmt.Errorf("evaluate variant %q: %w", in.Policy, err)
	}
	if len(results) != 1 || len(results[0].Expressions) != 1 {
		return schemas.Decision{}, fmt.Errorf("evaluate variant %q: %d results", in.Policy, len(results))
	}
	var d schemas.Decision
	if err := recode(results[0].Expressions[0].Value, &d); err != nil {
		return schemas.Decision{}, fmt.Errorf("read the decision of variant %q: %w", in.Policy, err)
	}
	return d, nil
}
