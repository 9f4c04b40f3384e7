package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
)

// innerServer serves what is inside tunnels: one http.Server for all of them,
// fed through a listener that is a channel. A server per tunnel would never
// return and leak.
type innerServer struct {
	g      *Gateway
	server *http.Server
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newInnerServer(g *Gateway) *innerServer {
	s := &innerServer{g: g, conns: make(chan net.Conn), done: make(chan struct{})}
	s.server = &http.Server{
		Handler:           g.recovered(readingRest(http.HandlerFunc(g.serveInner))),
		ConnContext:       connContext,
		ReadHeaderTimeout: g.cfg.Limits.HeaderTimeout,
		IdleTimeout:       g.cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    g.cfg.Limits.HeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 128},
		ErrorLog:          g.serverLog(),

		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" by itself
	}
	return s
}

// protocols are what TLS offers to clients. The handlers assume no version.
func (s *innerServer) protocols() []string { return []string{"h2", "http/1.1"} }

// serve hands a connection to the server, which closes it. net/http takes HTTP/2
// from a *tls.Conn only; for HTTP/1 the head scanner goes over it.
func (s *innerServer) serve(c net.Conn, t *tunnel) {
	if tc, ok := c.(*tls.Conn); !ok || tc.ConnectionState().NegotiatedProtocol != "h2" {
		c = head.NewConn(c, t.innerOptions())
	}
	select {
	case s.conns <- c:
	case <-s.done:
		c.Close()
	}
}

// Accept returns the next tunnel.
func (s *innerServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (s *innerServer) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// Addr names the listener in messages.
func (s *innerServer) Addr() net.Addr { return innerAddr{} }

type innerAddr struct{}

func (innerAddr) Network() string { return "tunnel" }
func (innerAddr) String() string  { return "tunnel" }

// tunnelOf returns the tunnel of a request.
func tunnelOf(r *http.Request) *tunnel {
	switch c := r.Context().Value(connKey{}).(type) {
	case *head.Conn:
		t, _ := c.Owner().(*tunnel)
		return t
	case *tls.Conn:
		return c.NetConn().(*leafConn).t
	}
	return nil
}

// serveInner decides one request inside a tunnel.
func (g *Gateway) serveInner(w http.ResponseWriter, r *http.Request) {
	t := tunnelOf(r)
	ex := g.newExchange(w, r, t)
	ex.dest = t.dest
	box, ok := g.registry.Running(t.box.ID)
	if ex.box = box; !ok {
		ex.box = t.box
	}
	if hc := connOf(r); hc != nil {
		if fault := hc.Fault(r); fault != nil {
			ex.refuseFault(fault)
			return
		}
	}
	if !ok {
		ex.refuse(schemas.CodeUnknownSandbox, "the sandbox has ended")
		return
	}
	ex.input.Path = r.URL.Path
	m := checkStrict(r)
	target := ""
	if m == nil {
		target, m = innerTarget(r, t.dest)
	}
	if m != nil {
		ex.refuseError(m)
		return
	}
	ex.serve(target)
}

// recovered answers a panic with 500 and closes the connection; the process
// lives, and the request is recorded as not decided.
func (g *Gateway) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			g.panicked(w, r, v)
		}()
		next.ServeHTTP(w, r)
	})
}
