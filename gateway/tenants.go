package gateway

import (
	"cmp"
	"context"
	"io"
	"net"
	"sync"

	"golang.org/x/time/rate"
)

// tenants keeps what each sandbox may still do: requests and bytes by rate,
// handshakes at once. Connections and tunnels are counted by connSet.
type tenants struct {
	limits Limits
	mu     sync.Mutex
	byID   map[string]*tenant
}

// tenant is one sandbox's. A nil limiter limits nothing.
type tenant struct {
	requests   *rate.Limiter
	bytes      *rate.Limiter
	handshakes chan struct{} // room for those at once
	api        *apiQuota
}

func newTenants(l Limits) *tenants { return &tenants{limits: l, byID: map[string]*tenant{}} }

// of returns the sandbox's.
func (t *tenants) of(id string) *tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil {
		n = &tenant{
			requests:   limiter(t.limits.RequestsPerSecond, cmp.Or(t.limits.RequestBurst, t.limits.RequestsPerSecond)),
			bytes:      limiter(t.limits.BytesPerSecond, byteBurst(t.limits.BytesPerSecond)),
			handshakes: make(chan struct{}, t.limits.HandshakesPerSandbox),
			api:        newAPIQuota(),
		}
		t.byID[id] = n
	}
	return n
}

func limiter(perSecond, burst int) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(burst, 1))
}

// byteBurst is what may pass at once: a tenth of a second's, but one whole copy
// buffer at least.
func byteBurst(perSecond int) int { return max(perSecond/10, 64<<10) }

// drop forgets a sandbox that has ended.
func (t *tenants) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byID, id)
}

const tooManyRequests = "the sandbox sends more requests a second than it may"

// mayAsk takes one request of the sandbox's rate.
func (n *tenant) mayAsk() bool { return n.requests == nil || n.requests.Allow() }

// pass waits until so many bytes may pass.
func (n *tenant) pass(ctx context.Context, bytes int) error {
	for burst := n.bytes.Burst(); bytes > 0; bytes -= burst {
		if err := n.bytes.WaitN(ctx, min(bytes, burst)); err != nil {
			return err
		}
	}
	return nil
}

// slowed returns r at the sandbox's rate, or r itself where there is none.
func (n *tenant) slowed(ctx context.Context, r io.ReadCloser) io.ReadCloser {
	if n.bytes == nil || r == nil {
		return r
	}
	return &slowedBody{ReadCloser: r, ctx: ctx, tenant: n}
}

type slowedBody struct {
	io.ReadCloser
	ctx    context.Context
	tenant *tenant
}

// Read gets one piece and waits until it may pass.
func (b *slowedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if waited := b.tenant.pass(b.ctx, n); waited != nil && err == nil {
		err = waited
	}
	return n, err
}

// slowedConn returns what reads at the sandbox's rate from a spliced connection.
func (n *tenant) slowedConn(ctx context.Context, c net.Conn) io.Reader {
	if n.bytes == nil {
		return c
	}
	return n.slowed(ctx, c)
}
