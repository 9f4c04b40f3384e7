package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/serve"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// The header fields of an answer that say whose the bundle is, and which of its
// policies decides.
const (
	headerSandbox = "Openshell-Sandbox"
	headerAgent   = "Openshell-Agent"
	headerPolicy  = "Openshell-Policy"
)

// serveShimBundle answers with what decides for the sandbox: the bundle in force
// without other sandboxes' policies. A new binding is a new bundle.
func (g *Gateway) serveShimBundle(w http.ResponseWriter, r *http.Request, box adminapi.Sandbox, q *apiQuota) {
	select {
	case q.polls <- struct{}{}:
		defer func() { <-q.polls }()
	default:
		g.apiBusy(w, "the sandbox waits for its bundle in too many places")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.accepting, cancel)()
	serve.Answer(w, r.WithContext(ctx), func() (serve.Bundle, bool, <-chan struct{}) {
		next := g.policyChange.next() // before looking, so that no change is missed
		now, ok := g.people.running(box.ID)
		if !ok {
			return serve.Bundle{}, false, nil
		}
		b, err := g.shimBundle(now)
		if err != nil {
			g.log.Error("bundle of a sandbox", "sandbox", box.ID, "error", err)
		}
		return b, err == nil, next
	})
}

func (g *Gateway) shimBundle(box adminapi.Sandbox) (serve.Bundle, error) {
	policy := box.Effective()
	data, sum, err := g.portions.of(policy)
	if err != nil {
		return serve.Bundle{}, err
	}
	h := sha256.New()
	for _, part := range []string{string(sum[:]), box.ID, box.Agent, policy} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return serve.Bundle{
		Data: data, ETag: `"` + hex.EncodeToString(h.Sum(nil)) + `"`,
		Header: http.Header{headerSandbox: {box.ID}, headerAgent: {box.Agent}, headerPolicy: {policy}},
	}, nil
}

// portions are the bundle in force, by policy, each with that policy alone.
type portions struct {
	mu    sync.Mutex
	whole []byte
	parts map[string]portion
}

type portion struct {
	data []byte
	sum  [sha256.Size]byte
	err  error
}

// set replaces the bundle.
func (p *portions) set(bundle []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.whole, p.parts = bundle, map[string]portion{}
}

// of returns the bundle that holds one policy, made when it is first asked for.
func (p *portions) of(policy string) ([]byte, [sha256.Size]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	part, ok := p.parts[policy]
	if !ok {
		part.data, part.err = cut(p.whole, policy)
		part.sum = sha256.Sum256(part.data)
		if p.parts != nil {
			p.parts[policy] = part
		}
	}
	return part.data, part.sum, part.err
}

func cut(bundle []byte, policy string) ([]byte, error) {
	a, err := archive.Read(bundle)
	if err != nil {
		return nil, err
	}
	if err := a.Keep(policy); err != nil {
		return nil, err
	}
	return a.Pack()
}
