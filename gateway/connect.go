package gateway

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// serveConnect answers a CONNECT. A host that no rule names is denied inside the
// tunnel, because clients hide the body of a refused CONNECT and an agent that
// cannot read why tries ways round; but only on 443 and ports that a rule names.
func (ex *exchange) serveConnect(cc *clientConn) {
	host, port, err := authorityOf(ex.r.RequestURI, "")
	if err != nil {
		ex.refuseError(err)
		return
	}
	ex.dest = destination{Scheme: "https", Host: host, Port: port}
	t := ex.newTunnel(cc)
	if code, detail := ex.mayOpen(t); code != "" {
		ex.refuse(code, detail)
		return
	}
	if !ex.admitsTunnel(t) {
		ex.deny(ex.statusOf(ex.decision.Code))
		return
	}
	ex.openTunnel(t)
}

// newTunnel notes what the rules say of a destination.
func (ex *exchange) newTunnel(cc *clientConn) *tunnel {
	named := ex.gen.Destinations(ex.box.Effective())
	t := &tunnel{
		g: ex.g, conn: cc, box: ex.box, peer: ex.peer, dest: ex.dest,
		listed: named.Names(ex.dest.Host), anyPort: !named.Port(ex.dest.Port),
	}
	t.refused = !t.listed
	_, t.passthrough = named.Passthrough(ex.dest.Host, ex.dest.Port)
	return t
}

// mayOpen holds the sandbox to its limits; the code is "" within them.
func (ex *exchange) mayOpen(t *tunnel) (schemas.Code, string) {
	switch {
	case !ex.tenant().mayAsk():
		return schemas.CodeLimitExceeded, tooManyRequests
	case !t.conn.becomeTunnel():
		return schemas.CodeLimitExceeded, "the sandbox holds as many tunnels as it may"
	}
	return "", ""
}

// admitsTunnel tells whether what is asked inside gets to be decided. Where it
// does not, the decision is that on a GET of "/", which says what the destination
// lacks. In audit mode what is inside is decided as if a rule named the
// destination.
func (ex *exchange) admitsTunnel(t *tunnel) bool {
	if !t.anyPort && (!t.refused || ex.g.cfg.DenyConnect != DenyPlain) {
		return true
	}
	if err := ex.decideConnect(); err != nil {
		ex.setError(err)
		return false
	}
	if ex.decision.Allow { // a new rule came between; the next try will see it
		ex.setRefusal(schemas.CodePortNotAllowed, "no rule names this port")
	}
	return ex.decision.Passes()
}

// decideConnect decides a destination whose requests cannot be seen. It is
// recorded as the CONNECT that it is.
func (ex *exchange) decideConnect() error {
	in := canon.Request{Method: http.MethodGet, Scheme: ex.dest.Scheme, Host: ex.dest.Host, Port: ex.dest.Port, RawPath: "/"}
	ex.peer.fill(&in)
	c, err := canon.Network(in)
	if err != nil {
		return err
	}
	ex.decide(c.Readings)
	ex.input.Method, ex.input.Path = http.MethodConnect, ""
	return nil
}

// openTunnel takes the connection over from the server and answers 200. What the
// client sent together with the CONNECT is in the server's buffer and is
// replayed.
func (ex *exchange) openTunnel(t *tunnel) {
	c, buf, err := http.NewResponseController(ex.w).Hijack()
	if err != nil {
		ex.refuse(schemas.CodeBadRequest, "CONNECT needs HTTP/1.1")
		return
	}
	_ = c.SetDeadline(time.Time{})
	t.client = replay(c, buf)
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		c.Close()
		return
	}
	ex.g.tunnels.Go(t.run)
}

// replayConn is a connection whose first bytes were read before.
type replayConn struct {
	net.Conn
	first []byte
}

// Read gives the first bytes, then the connection's.
func (c *replayConn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}

// replay takes the connection out from under the server and the head scanner,
// with what both of them hold.
func replay(c net.Conn, buf *bufio.ReadWriter) *replayConn {
	first, _ := buf.Peek(buf.Reader.Buffered())
	r := &replayConn{Conn: c, first: bytes.Clone(first)}
	if hc, ok := c.(*head.Conn); ok {
		under, rest := hc.Detach()
		r.Conn, r.first = under, append(r.first, rest...)
	}
	return r
}
