package rego

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// budget bounds one evaluation; past it the input is denied.
const budget = time.Second

var errUndefined = errors.New("the result is undefined")

// policy is a compiled policy over one generation's data.
type policy struct {
	name string
	base
	*indexed
	told    sync.Once // that it does not compile
	network *lazy[network]
	whole   *lazy[whole]
}

// evaluate returns the one value of a query.
func (p base) evaluate(ctx context.Context, q *query, input *ast.Term, caching bool) (*ast.Term, error) {
	return p.evaluateWithin(ctx, budget, q, input, caching)
}

func (p base) evaluateWithin(ctx context.Context, limit time.Duration, q *query, input *ast.Term, caching bool) (*ast.Term, error) {
	w := watches.get()
	w.timer.Reset(limit)
	tq := topdown.NewQuery(q.body).
		WithCompiler(q.rules).
		WithQueryCompiler(q.compiler).
		WithStore(p.store).
		WithTransaction(p.txn).
		WithInput(input).
		WithCancel(w.cancel).
		WithMetrics(metrics.NoOp()).
		WithSeed(noSeed{}).
		WithTime(noTime).
		WithRequestMetadata(noMetadata).
		WithStrictBuiltinErrors(true)
	if !caching {
		tq = tq.WithVirtualCache(noCache{}).WithBaseCache(noBase{})
	}
	err := tq.Iter(ctx, w.collect)
	found := w.found
	watches.put(w)
	if err == nil && found == nil {
		err = errUndefined
	}
	return found, err
}

// noTime stands for the clock, which no allowed built-in reads.
var noTime = time.Unix(0, 0)

// noMetadata spares OPA making a map for each call; no allowed built-in writes it.
var noMetadata = map[string]any{}

// noSeed stands for randomness, which no allowed built-in draws.
type noSeed struct{}

func (noSeed) Read(p []byte) (int, error) { return len(p), nil }

// noCache and noBase replace caches that a single pass over indexed rules never
// hits.
type noCache struct{}

func (noCache) Push()                         {}
func (noCache) Pop()                          {}
func (noCache) Get(ast.Ref) (*ast.Term, bool) { return nil, false }
func (noCache) Put(ast.Ref, *ast.Term)        {}
func (noCache) Keys() []ast.Ref               { return nil }

type noBase struct{}

func (noBase) Get(ast.Ref) ast.Value  { return nil }
func (noBase) Put(ast.Ref, ast.Value) {}

// watch cancels an evaluation that outruns the budget. OPA starts a goroutine
// for every call that is not given a cancel; a reused timer costs none.
type watch struct {
	cancel  topdown.Cancel
	timer   *time.Timer
	found   *ast.Term                       // the answer
	collect func(topdown.QueryResult) error // puts it there
}

// watchPool hands out watches. One that fired is discarded.
type watchPool struct{ sync.Pool }

var watches = watchPool{sync.Pool{New: func() any {
	w := &watch{cancel: topdown.NewCancel()}
	w.timer = time.AfterFunc(time.Hour, w.cancel.Cancel)
	w.collect = func(r topdown.QueryResult) error {
		w.found = r[answer]
		return nil
	}
	return w
}}}

func (p *watchPool) get() *watch { return p.Get().(*watch) }

func (p *watchPool) put(w *watch) {
	w.found = nil
	if w.timer.Stop() {
		p.Put(w)
	}
}
