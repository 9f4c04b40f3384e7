package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/gateway/ca"
	"github.com/openshell-policy/openshell/gateway/guard"
	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/rego"
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
	registry *sandboxes.Registry
	health   health
	metrics  *metrics

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
	admin     *http.Server
	conns     *connSet
	held      holds
	tunnels   sync.WaitGroup
	base      context.Context // ends when draining ends
	stop      context.CancelFunc

	proxyLn, adminLn net.Listener
	adminToken       string
	socketsMu        sync.Mutex
	sockets          map[string]net.Listener
	reloading        sync.Mutex
	draining         atomic.Bool
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
	if g.adminToken, err = loadToken(g.cfg.AdminTokenFile()); err != nil {
		return err
	}
	g.conns = newConnSet(g.cfg.Limits.Connections, g.cfg.Limits.ConnectionsPerSandbox)
	g.minting = newRates(g.cfg.Limits.NewNamesPerMinute)
	g.metrics = newMetrics()
	if g.engine = g.deps.Engine; g.engine == nil {
		g.engine = OPA(rego.New(rego.Options{}))
	}
	if g.audit = g.deps.Audit; g.audit != nil {
		return nil
	}
	if g.auditLog, err = audit.Open(g.cfg.AuditPath(), audit.Options{Sync: g.cfg.Audit.Sync}); err != nil {
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
	})
	if err != nil {
		return err
	}
	if g.upstreams, err = newUpstreams(g.guard, g.cfg.UpstreamRoots); err != nil {
		return err
	}
	g.proxy = g.newProxy()
	return nil
}

func (g *Gateway) openServers() error {
	g.outer, g.admin = g.outerServer(), g.adminServer()
	g.metrics.gauges(g)
	if _, err := g.Reload(g.base); err != nil {
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
	serve(func() error { return g.inner.server.Serve(g.inner) })
	serve(func() error { return g.admin.Serve(g.adminLn) })
	serve(func() error { return g.watch(g.base) })
	go g.rotate(g.base)
	if err := g.reopenSockets(); err != nil {
		return errors.Join(err, g.drain())
	}
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

func (g *Gateway) drain() error {
	g.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Limits.DrainTimeout)
	defer cancel()
	err := errors.Join(g.outer.Shutdown(ctx), g.inner.server.Shutdown(ctx))
	if errors.Is(err, context.DeadlineExceeded) {
		g.log.Warn("requests were cut off", "after", g.cfg.Limits.DrainTimeout)
		err = nil
	}
	g.conns.waitEmpty(ctx)
	g.conns.closeAll()
	_ = g.outer.Close()
	_ = g.inner.server.Close()
	g.tunnels.Wait()
	_ = g.admin.Close()
	return errors.Join(err, g.close())
}

// close lets go of what New opened.
func (g *Gateway) close() error {
	g.stop()
	for _, l := range []net.Listener{g.proxyLn, g.adminLn} {
		if l != nil {
			_ = l.Close()
		}
	}
	g.socketsMu.Lock()
	for _, l := range g.sockets {
		_ = l.Close()
	}
	g.socketsMu.Unlock()
	if g.upstreams != nil {
		g.upstreams.retire()
	}
	if g.auditLog != nil {
		return g.auditLog.Close()
	}
	return nil
}

// Close ends a gateway that is not being run.
func (g *Gateway) Close() error { return g.close() }

// ProxyAddr is where sandboxes connect, as host:port.
func (g *Gateway) ProxyAddr() string { return g.proxyLn.Addr().String() }

// AdminAddr is where the admin API listens, as adminapi.NewClient takes it.
func (g *Gateway) AdminAddr() string {
	if g.adminLn.Addr().Network() == "unix" {
		return "unix:" + g.adminLn.Addr().String()
	}
	return g.adminLn.Addr().String()
}

// AdminToken is the admin API's bearer token.
func (g *Gateway) AdminToken() string { return g.adminToken }

// CAPEM is the certificate that clients must trust.
func (g *Gateway) CAPEM() []byte { return g.authority.PEM() }
