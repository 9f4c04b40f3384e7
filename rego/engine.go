// Package rego is the only evaluator around OPA: it loads a bundle, compiles
// each policy once and decides inputs built by schemas/canon. It never answers
// with an error: what cannot be decided is denied.
package rego

import (
	"sync"
	"sync/atomic"
)

// Options tune an Engine; the zero value is ready for use.
type Options struct {
	// CacheSize is the number of decisions kept per generation; 0 means 4096,
	// negative none.
	CacheSize int
}

// Engine holds the policies of one bundle and swaps them whole.
type Engine struct {
	opts    Options
	loading sync.Mutex // one Load at a time
	current atomic.Pointer[Generation]
}

// New returns an engine without policies: everything is denied with no_policy.
func New(opts Options) *Engine {
	if opts.CacheSize == 0 {
		opts.CacheSize = 4096
	}
	e := &Engine{opts: opts}
	e.current.Store(newGeneration(0, "", opts))
	return e
}

// Current returns the generation in force, never nil.
func (e *Engine) Current() *Generation { return e.current.Load() }

// Load reads a bundle, compiles the policies that changed and makes the result
// current. On error the generation before stays current.
func (e *Engine) Load(bundle []byte) (*Generation, error) {
	e.loading.Lock()
	defer e.loading.Unlock()
	old := e.Current()
	c, err := readBundle(bundle)
	if err != nil {
		return nil, err
	}
	g := newGeneration(old.number+1, c.data.Revision, e.opts)
	g.data = c.data
	if g.store, g.txn, err = c.store(); err != nil {
		return nil, err
	}
	for _, name := range c.names {
		compiled, err := reuse(old, c, name)
		if err != nil {
			return nil, err
		}
		if g.policies[name], err = compiled.bind(g); err != nil {
			return nil, err
		}
	}
	e.current.Store(g)
	return g, nil
}

// reuse returns the compilation of the generation before if nothing that it
// depends on changed.
func reuse(old *Generation, c *content, name string) (*compiled, error) {
	digest := c.digest(name)
	if p := old.policies[name]; p != nil && p.digest == digest {
		return p.compiled, nil
	}
	return compile(c, name, digest)
}
