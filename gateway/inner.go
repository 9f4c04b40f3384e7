package gateway

import (
	"errors"
	"net"
	"net/http"

	"github.com/openshell-policy/openshell/gateway/h2"
	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
)

// innerServer serves what is inside tunnels: one http.Server for all of them,
// fed through a listener that is a channel. A server per tunnel would never
// return and leak.
type innerServer struct {
	*connFeed
	g      *Gateway
	server *http.Server
}

func newInnerServer(g *Gateway) *innerServer {
	s := &innerServer{connFeed: newConnFeed(), g: g}
	s.server = &http.Server{
		Handler:           g.recovered(readingRest(http.HandlerFunc(g.serveInner))),
		ConnContext:       connContext,
		ReadHeaderTimeout: g.cfg.Limits.HeaderTimeout,
		IdleTimeout:       g.cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    g.cfg.Limits.HeaderBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 128},
		Protocols:         new(http.Protocols),
		ErrorLog:          g.serverLog(),

		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" by itself
	}
	// HTTP/2 comes without TLS to this server, from under which the watched
	// connection was put.
	s.server.Protocols.SetHTTP1(true)
	s.server.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// protocols are what TLS offers to clients. The handlers assume no version.
func (s *innerServer) protocols() []string { return []string{"h2", "http/1.1"} }

// serve hands a connection to the server, which closes it. What is read of
// requests is looked at first: the heads of HTTP/1, the frames of HTTP/2.
func (s *innerServer) serve(c net.Conn, t *tunnel, protocol string) {
	if protocol == "h2" {
		s.give(h2.NewConn(c, t.frameOptions()))
		return
	}
	s.give(head.NewConn(c, t.innerOptions()))
}

// tunnelOf returns the tunnel of a request.
func tunnelOf(r *http.Request) *tunnel {
	switch c := r.Context().Value(connKey{}).(type) {
	case *head.Conn:
		t, _ := c.Owner().(*tunnel)
		return t
	case *h2.Conn:
		t, _ := c.Owner().(*tunnel)
		return t
	}
	return nil
}

// serveInner decides one request inside a tunnel.
func (g *Gateway) serveInner(w http.ResponseWriter, r *http.Request) {
	t := tunnelOf(r)
	if c, ok := r.Context().Value(connKey{}).(*h2.Conn); ok {
		c.Handled()
	}
	ex := g.newExchange(w, r, t)
	ex.dest, ex.peer = t.dest, t.peer
	box, ok := g.people.running(t.box.ID)
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
	if m == nil {
		ex.dest, m = t.destinationOf(r)
	}
	target := ""
	if m == nil {
		target, m = innerTarget(r, ex.dest)
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
