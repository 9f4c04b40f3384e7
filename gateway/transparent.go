package gateway

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/openshell-policy/openshell/gateway/hello"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// A transparent connection was opened by a program that knows of no proxy. Where
// it goes is the server name of its ClientHello, or the Host of its request; the
// port is that of its original destination. The original address is of no use: a
// sandbox has no resolver, and what a name means is looked up here, once it is
// allowed.

// ServeTransparent serves a listener that others' connections are led to: by a
// redirect of the packet filter, or because it is inside the network namespace of
// a sandbox, whose id socket then is. It returns when the listener is closed.
func (g *Gateway) ServeTransparent(l net.Listener, socket string) {
	g.acceptEach(l, socket, func(cc *clientConn) {
		to, ok := originalDestination(cc.Conn)
		if !ok {
			g.closeUnread(cc, schemas.CodeBadRequest, "the original destination of the connection is not known")
			return
		}
		g.serveTransparent(cc, &replayConn{Conn: cc}, to)
	})
}

func (g *Gateway) serveTransparent(cc *clientConn, client *replayConn, to netip.AddrPort) {
	box, code := g.evidenceOf(cc).settle(cc)
	if code == schemas.CodeIdentityRequired {
		code = schemas.CodeUnknownSandbox // there is no way to ask for more
	}
	t := &tunnel{g: g, conn: cc, client: client, box: box, peer: g.peerOf(cc), dest: destination{Port: int(to.Port())}}
	if code == "" && !cc.becomeTunnel() {
		code = schemas.CodeLimitExceeded
	}
	if code != "" {
		t.close(code, refusalDetail(code))
		return
	}
	_ = client.SetReadDeadline(time.Now().Add(g.cfg.Limits.HandshakeTimeout))
	h, raw, err := hello.Peek(client)
	_ = client.SetReadDeadline(time.Time{})
	client.first = append(raw, client.first...)
	switch {
	case errors.Is(err, hello.ErrNotTLS) && len(raw) > 0 && raw[0] >= 'A' && raw[0] <= 'Z':
		t.dest.Scheme = "http"
		t.clear()
	case err != nil:
		t.dest.Scheme = "https"
		t.closePeek(raw, err)
	default:
		t.serveName(h)
	}
}

// serveName goes on with a ClientHello as with one inside a CONNECT.
func (t *tunnel) serveName(h hello.Hello) {
	t.dest.Scheme = "https"
	host, err := canon.Host(h.ServerName)
	if _, isAddr := netip.ParseAddr(host); err != nil || isAddr == nil {
		t.alert(alertUnrecognizedName)
		t.close(schemas.CodeBadRequest, "a TLS connection without the server name of a host says not where it goes")
		return
	}
	t.dest.Host = host
	named := t.g.engine.Current().Destinations(t.box.Effective())
	t.listed = named.Names(host)
	t.refused = !t.listed || !named.Port(t.dest.Port)
	_, t.passthrough = named.Passthrough(host, t.dest.Port)
	if t.refused {
		t.conn.whenClosed(t.recordRefusal)
	}
	if t.passthrough {
		t.splice(h)
		return
	}
	t.inspect(h)
}

// destinationOf is where one request of a tunnel goes. Only in a transparent
// connection in clear can requests differ: each says it by its Host, whose port
// is that of the connection.
func (t *tunnel) destinationOf(r *http.Request) (destination, *misread) {
	if t.dest.Host != "" {
		return t.dest, nil
	}
	host, port, err := authorityOf(r.Host, t.dest.Scheme)
	switch {
	case r.Host == "":
		return t.dest, badRequest("a request without Host says not where it goes")
	case err != nil:
		return t.dest, badRequest(err.Error())
	case port != t.dest.Port:
		return t.dest, &misread{code: schemas.CodeAuthorityMismatch, detail: "the request is for " + hostPort(host, port) + ", the connection for another port"}
	}
	return destination{Scheme: t.dest.Scheme, Host: host, Port: port}, nil
}
