// Package rego is the only evaluator around OPA: it loads a bundle, compiles
// each policy once and decides inputs built by schemas/canon. It never answers
// with an error: what cannot be decided is denied.
package rego

import (
	"sync"
	"sync/atomic"

	"github.com/openshell-policy/openshell/rego/archive"
)

// Options tune an Engine; the zero value is ready for use.
type Options struct {
	// CacheSize is the number of decisions kept per generation; 0 means 4096,
	// negative none.
	CacheSize int
	// Lazy leaves the compilation of a policy to its first use, but for those in use
	// before. It is for bundles of one's own compiler: what does not compile is not
	// refused with the bundle then, but denied with policy_error when it is used.
	Lazy bool
	// Failed is told of a policy that does not compile at its first use; nil: nobody.
	Failed func(policy string, err error)
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
// current. On error the generation before stays current. Load trusts the bytes:
// who got them from elsewhere admits the archive first and uses LoadArchive.
func (e *Engine) Load(bundle []byte) (*Generation, error) {
	a, err := archive.Read(bundle)
	if err != nil {
		return nil, err
	}
	return e.LoadArchive(a)
}

// LoadArchive is Load for a bundle that is taken apart already.
func (e *Engine) LoadArchive(a *archive.Archive) (*Generation, error) {
	e.loading.Lock()
	defer e.loading.Unlock()
	g, err := e.build(a, e.Current())
	if err != nil {
		return nil, err
	}
	e.current.Store(g)
	return g, nil
}

// build makes a generation. What did not change since the one before is taken
// from it: parsed, compiled and indexed.
func (e *Engine) build(a *archive.Archive, old *Generation) (*Generation, error) {
	c, err := readBundle(a)
	if err != nil {
		return nil, err
	}
	g := newGeneration(old.number+1, c.data.Revision, e.opts)
	g.manifest = c.manifest
	g.library = c.lib(old.library)
	if g.shared, err = c.shared(old.shared); err != nil {
		return nil, err
	}
	if g.masks, err = c.masking(old.masks); err != nil {
		return nil, err
	}
	if g.extensions, err = c.extended(g.library, old.extensions); err != nil {
		return nil, err
	}
	for name, source := range c.data.Extensions {
		g.sources[name] = &source
	}
	for _, name := range c.names {
		if g.policies[name], err = c.policy(g, name, old.policies[name]); err != nil {
			return nil, err
		}
		if err := g.policies[name].warm(e.opts.Lazy, old.policies[name]); err != nil {
			return nil, err
		}
	}
	if err := c.store(g); err != nil {
		return nil, err
	}
	for _, p := range g.policies {
		p.base = g.data
	}
	return g, nil
}

func (c *content) policy(g *Generation, name string, old *policy) (*policy, error) {
	p := &policy{name: name}
	var err error
	if p.indexed, err = c.index(g.shared, name, old); err != nil {
		return nil, err
	}
	p.network, p.whole = c.network(name, old), c.whole(g.library, name, old)
	return p, nil
}

// warm compiles what must be ready before a generation is in force: everything, or
// where that is left to the first use, what the policies in use before needed.
func (p *policy) warm(lazily bool, old *policy) error {
	if !lazily || old != nil && old.network.used() {
		if _, err := p.network.get(); err != nil {
			return err
		}
	}
	if !lazily || old != nil && old.whole.used() {
		if _, err := p.whole.get(); err != nil {
			return err
		}
	}
	return nil
}
