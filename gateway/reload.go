package gateway

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Reload compiles the policies and puts them in force; it tells whether they
// changed. On error the generation before stays in force, and /readyz says why
// the new one is not.
func (g *Gateway) Reload(ctx context.Context) (changed bool, err error) {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	before := g.engine.Current()
	gen, err := g.load(ctx)
	if err != nil {
		g.health.refused(err)
		g.metrics.reloads.WithLabelValues("refused").Inc()
		g.log.Error("policies refused; the ones before stay in force", "error", err, "generation", before.Number())
		return false, err
	}
	g.metrics.reloads.WithLabelValues("loaded").Inc()
	g.keep(ctx)
	changed = before.Number() == 0 || before.Revision() != gen.Revision()
	g.health.loaded(changed)
	if !changed {
		return false, nil
	}
	g.upstreams.retire()
	g.held.decideAgain(gen)
	g.policyChange.tell()
	g.log.Info("policies in force", "generation", gen.Number(), "revision", gen.Revision(), "policies", len(gen.Policies()))
	return true, nil
}

// BundleName is what /bundles/ serves the bundle in force as.
const BundleName = "openshell"

func (g *Gateway) load(ctx context.Context) (Generation, error) {
	if g.deps.Join != nil {
		g.deps.Join(g.joins())
	}
	bundle, warnings, err := g.deps.Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("compile policies: %w", err)
	}
	for _, w := range warnings {
		g.log.Warn("policy warning", "warning", w)
	}
	gen, err := g.engine.Load(bundle)
	if err != nil {
		return nil, fmt.Errorf("load policies: %w", err)
	}
	g.bundles.Set(BundleName, bundle)
	g.portions.set(bundle)
	g.metrics.expectPolicies(gen.Policies())
	g.metrics.expectRequests(gen)
	return gen, nil
}

// health is what /readyz tells.
type health struct {
	mu        sync.Mutex
	since     time.Time // of the generation in force
	refusal   string
	refusedAt time.Time
	audit     atomic.Pointer[string] // why the log cannot be written
}

func (h *health) refused(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusal, h.refusedAt = err.Error(), time.Now().UTC()
}

func (h *health) loaded(changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusal = ""
	if changed {
		h.since = time.Now().UTC()
	}
}

func (h *health) setAudit(err error) {
	if err == nil {
		if h.audit.Load() != nil {
			h.audit.Store(nil)
		}
		return
	}
	text := err.Error()
	h.audit.Store(&text)
}

func (h *health) age() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.since).Seconds()
}

// Ready tells whether the gateway serves, and with which policies.
func (g *Gateway) Ready() adminapi.Readiness {
	gen := g.engine.Current()
	h := &g.health
	h.mu.Lock()
	defer h.mu.Unlock()
	r := adminapi.Readiness{
		Generation: gen.Number(), Revision: gen.Revision(), Loaded: h.since,
		Refused: h.refusal, Draining: g.draining.Load(),
	}
	if h.refusal != "" {
		at := h.refusedAt
		r.RefusedAt = &at
	}
	if why := h.audit.Load(); why != nil {
		r.Audit = *why
	}
	if g.deps.Origin != nil {
		r.Source = g.deps.Origin()
	}
	r.Ready = gen.Number() > 0 && r.Audit == "" && !r.Draining
	return r
}
