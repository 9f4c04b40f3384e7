package gateway

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
)

type connKey struct{}

// connContext lets a handler find the connection of its request.
func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

func connOf(r *http.Request) *head.Conn {
	c, _ := r.Context().Value(connKey{}).(*head.Conn)
	return c
}

// outerServer speaks the proxy protocol with sandboxes.
func (g *Gateway) outerServer() *http.Server {
	return &http.Server{
		Handler:           g.recovered(http.HandlerFunc(g.serveOuter)),
		ConnContext:       connContext,
		ReadHeaderTimeout: g.cfg.Limits.HeaderTimeout,
		IdleTimeout:       g.cfg.Limits.IdleTimeout,
		MaxHeaderBytes:    g.cfg.Limits.HeaderBytes,
		ErrorLog:          g.serverLog(),

		DisableGeneralOptionsHandler: true, // it would answer "OPTIONS *" by itself
	}
}

// serveOuter identifies the sandbox and tells CONNECT from a plain request.
func (g *Gateway) serveOuter(w http.ResponseWriter, r *http.Request) {
	hc := connOf(r)
	cc := hc.Owner().(*clientConn)
	ex := g.newExchange(w, r, nil)
	if fault := hc.Fault(r); fault != nil {
		ex.box = g.owner(cc)
		ex.refuseFault(fault)
		return
	}
	if isSandboxAPI(r) {
		g.serveSandboxAPI(ex, cc)
		return
	}
	box, code := g.identify(cc, r)
	ex.box = box
	if code == "" {
		ex.peer = g.peerOf(cc)
	}
	if code != "" {
		ex.setTarget(r.RequestURI)
		ex.refuse(code, refusalDetail(code))
		return
	}
	if r.Method == http.MethodConnect {
		ex.serveConnect(cc)
		return
	}
	if m := checkStrict(r); m != nil {
		ex.setTarget(r.RequestURI)
		ex.refuseError(m)
		return
	}
	ex.servePlain()
}

func refusalDetail(code schemas.Code) string {
	switch code {
	case schemas.CodeLimitExceeded:
		return "the sandbox holds as many connections as it may"
	case schemas.CodeUnknownSandbox, schemas.CodeIdentityMismatch, schemas.CodeIdentityRequired:
		return code.Info().Template
	}
	return ""
}

// servePlain decides a request for http that came to the proxy in clear, in
// absolute form (RFC 9112, section 3.2.2).
func (ex *exchange) servePlain() {
	target := ex.r.RequestURI
	ex.setTarget(target)
	scheme, rest, ok := strings.Cut(target, "://")
	switch {
	case strings.HasPrefix(target, "/") || !ok:
		ex.refuse(schemas.CodeBadRequest, "this is a proxy: the request target must be an absolute http URL")
		return
	case !strings.EqualFold(scheme, "http"):
		ex.refuse(schemas.CodeBadRequest, "a plain proxy request must be for http; use CONNECT for https")
		return
	}
	authority, path := splitAuthority(rest)
	host, port, err := authorityOf(authority, "http")
	if err != nil {
		ex.refuseError(err)
		return
	}
	ex.dest = destination{Scheme: "http", Host: host, Port: port}
	ex.serve(path)
}

// splitAuthority splits "host:port/path?query" before the path.
func splitAuthority(rest string) (authority, path string) {
	i := strings.IndexAny(rest, "/?#")
	if i < 0 {
		return rest, "/"
	}
	if rest[i] == '/' {
		return rest[:i], rest[i:]
	}
	return rest[:i], "/" + rest[i:]
}

// setTarget notes what is known of a request that is refused before it is
// canonical, so that its record names a host.
func (ex *exchange) setTarget(target string) {
	if ex.r.Method == http.MethodConnect {
		if host, port, err := authorityOf(target, ""); err == nil {
			ex.dest = destination{Scheme: "https", Host: host, Port: port}
		}
		return
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return
	}
	if host, port, err := authorityOf(u.Host, strings.ToLower(u.Scheme)); err == nil {
		ex.dest = destination{Scheme: strings.ToLower(u.Scheme), Host: host, Port: port}
		ex.input.Path = u.Path
	}
}
