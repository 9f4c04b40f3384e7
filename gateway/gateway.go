package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/receive"
	"github.com/openshell-policy/openshell/gateway/ca"
	"github.com/openshell-policy/openshell/gateway/guard"
	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/serve"
	"github.com/openshell-policy/openshell/schemas"
)

// Gateway is one proxy with its policies, sandboxes and log. Use New.
type Gateway struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	labels map[string]string

	engine   Engine
	audit    Recorder
	auditLog *audit.Log // nil when Deps gave one

	received  *receive.Handler
	stopSinks func() // nil: there are none
	registry  *sandboxes.Registry
	people    *population // all sandboxes
	// policyChange tells that a sandbox may be under another policy.
	policyChange signal
	health       health
	metrics      *metrics

	authority *ca.Authority
	leaves    *ca.Leaves
	tickets   *ca.Tickets
	tlsConfig *tls.Config
	minting   *rates

	guard     *guard.Guard
	upstreams *upstreams
	proxy     *goproxy.ProxyHttpServer
	inner     *innerServer
	outer     *http.Server
	outerFeed *connFeed
	admin     *http.Server
	conns     *connSet
	tenants   *tenants
	turns     *turns
	held      holds
	tunnels   sync.WaitGroup
	base      context.Context // ends when draining ends
	accepting context.Context // ends when draining begins
	leave     context.CancelFunc
	stop      context.CancelFunc
	work      context.Context // of dials and handshakes, which end before
	endWork   context.CancelFunc

	proxyLn, adminLn net.Listener
	others           map[string]net.Listener // by what they speak: socks, transparent
	adminToken       string
	socketsMu        sync.Mutex
	sockets          map[string]net.Listener
	reloading        sync.Mutex
	draining         atomic.Bool
	bundles          serve.Bundles
	portions         portions
	recordedBundle   atomic.Pointer[map[string]schemas.BundleInfo]
	joining          sync.Mutex
	pending          atomic.Pointer[[]string] // a policy about to be bound, and those beside it
}

// New makes a gateway that is ready to run: it opens its state, compiles its
// policies and listens. A policy that does not compile is an error.
func New(cfg Config, deps Deps) (*Gateway, error) {
	g := &Gateway{cfg: cfg, deps: deps, log: deps.Log, sockets: map[string]net.Listener{}}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Compile == nil {
		return nil, errors.New("gateway: no way to compile policies")
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.base, g.stop = context.WithCancel(context.Background())
	g.work, g.endWork = context.WithCancel(g.base)
	g.accepting, g.leave = context.WithCancel(g.base)
	for _, step := range []func() error{g.openState, g.openTLS, g.openUpstream, g.openServers} {
		if err := step(); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

func (g *Gateway) openState() (err error) {
	if g.cfg.StateDir == "" {
		return errors.New("configuration: state_dir is required")
	}
	if err := os.MkdirAll(g.cfg.StateDir, 0o700); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	host, _ := os.Hostname()
	g.labels = map[string]string{"app": "openshell-gateway", "id": host}
	if g.registry, err = sandboxes.Open(g.cfg.StateDir); err != nil {
		return err
	}
	g.people = &population{registry: g.registry, others: g.deps.Identities, sources: g.deps.Sources}
	if g.adminToken, err = loadToken(g.cfg.AdminTokenFile()); err != nil {
		return err
	}
	g.conns = newConnSet(g.cfg.Limits)
	g.tenants = newTenants(g.cfg.Limits)
	g.conns.ended = g.tenants.drop
	g.turns = newTurns(g.cfg.Limits.requestsAtOnce())
	g.minting = newRates(g.cfg.Limits.NewNamesPerMinute)
	g.metrics = newMetrics()
	if g.engine = g.deps.Engine; g.engine == nil {
		g.engine = OPA(rego.New(rego.Options{}))
	}
	if err = g.openReceived(); err != nil {
		return err
	}
	if g.audit = g.deps.Audit; g.audit != nil {
		return nil
	}
	if g.auditLog, err = audit.Open(g.cfg.AuditPath(), g.auditOptions()); err != nil {
		return err
	}
	g.audit = g.auditLog
	return nil
}

func (g *Gateway) openTLS() (err error) {
	if g.cfg.CA.Cert != "" {
		g.authority, err = ca.Load(g.cfg.CA.Cert, g.cfg.CA.Key)
	} else {
		g.authority, err = ca.Open(g.cfg.CADir())
	}
	if err != nil {
		return err
	}
	if g.leaves, err = ca.NewLeaves(g.authority, nil); err != nil {
		return err
	}
	g.inner = newInnerServer(g)
	g.tlsConfig = g.serverTLS()
	g.tickets = ca.NewTickets(g.tlsConfig)
	return nil
}

func (g *Gateway) openUpstream() (err error) {
	g.guard, err = guard.New(guard.Config{
		AllowPrivate: g.cfg.AllowPrivate, AllowLoopback: g.cfg.AllowLoopback, Resolve: g.cfg.Resolve,
		Dropped: func(r *guard.Refused) {
			g.metrics.dropped.Inc()
			g.log.Warn("an address was left out", "host", r.Host, "address", r.Addr, "why", r.Why)
		},
	})
	if err != nil {
		return err
	}
	if g.upstreams, err = newUpstreams(g.guard, g.cfg.UpstreamRoots, g.cfg.UpstreamProxy); err != nil {
		return err
	}
	if g.cfg.UpstreamProxy.ParentResolves {
		g.log.Warn("upstream_proxy.parent_resolves: names are resolved by the parent, and the dial guard checks none of their addresses")
	}
	g.proxy = g.newProxy()
	return nil
}

func (g *Gateway) openServers() error {
	g.outer, g.admin, g.outerFeed = g.outerServer(), g.adminServer(), newConnFeed()
	g.metrics.gauges(g)
	g.sourceMetrics()
	if _, err := g.Reload(g.base); err != nil && !errors.Is(err, ErrNotYet) {
		return err
	}
	return g.listenAll()
}

// Run serves until the context ends, then drains: new connections are refused,
// requests in flight end, and after limits.drain_timeout what is left is cut.
func (g *Gateway) Run(ctx context.Context) error {
	failed := make(chan error, 4)
	serve := func(fn func() error) {
		go func() {
			if err := fn(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
				failed <- err
			}
		}()
	}
	serve(func() error { return g.serveProxy(&proxyListener{Listener: g.proxyLn, g: g}) })
	serve(func() error { return g.serveProxy(g.outerFeed) })
	serve(func() error { return g.inner.server.Serve(g.inner) })
	g.serveOthers()
	serve(func() error { return g.follow(g.base) })
	go g.rotate(g.base)
	if err := g.startSinks(); err != nil {
		return errors.Join(err, g.drain())
	}
	if err := g.reopenSockets(); err != nil {
		return errors.Join(err, g.drain())
	}
	serve(func() error { return g.admin.Serve(g.adminLn) })
	g.log.Info("serving", "proxy", g.ProxyAddr(), "admin", g.AdminAddr(), "revision", g.engine.Current().Revision())
	select {
	case <-ctx.Done():
		return g.drain()
	case err := <-failed:
		return errors.Join(err, g.drain())
	}
}

func (g *Gateway) serveProxy(l net.Listener) error { return g.outer.Serve(l) }

// rotate renews session-ticket keys.
func (g *Gateway) rotate(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			g.tickets.Rotate(now)
		}
	}
}

// drain says at once that the gateway is not ready, goes on for limits.drain_delay
// so that who balances load can see it, and then takes nothing new. What is under
// way, tunnels included, has limits.drain_timeout to end.
func (g *Gateway) drain() error {
	g.draining.Store(true)
	time.Sleep(g.cfg.Limits.DrainDelay)
	g.leave()
	g.closeListeners()
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Limits.DrainTimeout)
	defer cancel()
	err := g.shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.Warn("requests were cut off", "after", g.cfg.Limits.DrainTimeout)
		err = nil
	}
	g.conns.waitEmpty(ctx)
	g.endWork()
	g.conns.closeAll()
	_ = g.outer.Close()
	_ = g.inner.server.Close()
	g.tunnels.Wait()
	_ = g.admin.Close()
	return errors.Join(err, g.close())
}

// shutdown lets both servers end side by side: requests in tunnels must not lose
// their time to those outside.
func (g *Gateway) shutdown(ctx context.Context) error {
	outer := make(chan error, 1)
	go func() { outer <- g.outer.Shutdown(ctx) }()
	err := errors.Join(g.inner.server.Shutdown(ctx), <-outer)
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if errors.Is(err, net.ErrClosed) {
		return nil // by closeListeners
	}
	return err
}

// closeListeners ends every way in but the admin API.
func (g *Gateway) closeListeners() {
	for _, l := range []net.Listener{g.proxyLn, g.others[speaksSOCKS], g.others[speaksAnything]} {
		if l != nil {
			_ = l.Close()
		}
	}
	g.socketsMu.Lock()
	defer g.socketsMu.Unlock()
	for _, l := range g.sockets {
		_ = l.Close()
	}
}

// close lets go of what New opened.
func (g *Gateway) close() error {
	g.stop()
	g.closeListeners()
	if g.adminLn != nil {
		_ = g.adminLn.Close()
	}
	if g.upstreams != nil {
		g.upstreams.retire()
	}
	return g.closeAudit()
}

// Close ends a gateway that is not being run.
func (g *Gateway) Close() error { return g.close() }

// ProxyAddr is where sandboxes connect, as host:port.
func (g *Gateway) ProxyAddr() string { return g.proxyLn.Addr().String() }

// AdminAddr is where the admin API listens, as adminapi.NewClient takes it: for a
// client on this machine where it listens at every address.
func (g *Gateway) AdminAddr() string {
	if g.adminLn.Addr().Network() == "unix" {
		return "unix:" + g.adminLn.Addr().String()
	}
	address := g.adminLn.Addr().String()
	if ap, err := netip.ParseAddrPort(address); err == nil && ap.Addr().IsUnspecified() {
		address = net.JoinHostPort("localhost", strconv.Itoa(int(ap.Port())))
	}
	if g.cfg.Admin.TLS.Cert != "" {
		return "https://" + address
	}
	return address
}

// AdminToken is the admin API's bearer token.
func (g *Gateway) AdminToken() string { return g.adminToken }

// CAPEM is the certificate that clients must trust.
func (g *Gateway) CAPEM() []byte { return g.authority.PEM() }
