package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/openshell-policy/openshell/gateway/h2"
	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/gateway/hello"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// tunnel is what a CONNECT opened.
type tunnel struct {
	g      *Gateway
	conn   *clientConn
	client *replayConn
	box    adminapi.Sandbox
	peer   Peer // the program that opened it
	dest   destination

	listed      bool // a rule names the host: its leaf goes into the large cache
	refused     bool // no rule does: one answer, then close
	anyPort     bool // no rule names the port
	passthrough bool // a rule splices it without reading inside
	recorded    atomic.Bool
}

// run looks at the first bytes and hands the tunnel on: spliced, or through TLS
// to the inner server. The inner server closes what it was given.
func (t *tunnel) run() {
	if t.refused {
		t.conn.whenClosed(t.recordRefusal)
	}
	_ = t.client.SetReadDeadline(time.Now().Add(t.g.cfg.Limits.HandshakeTimeout))
	h, raw, err := hello.Peek(t.client)
	_ = t.client.SetReadDeadline(time.Time{})
	t.client.first = append(raw, t.client.first...)
	switch {
	case errors.Is(err, hello.ErrNotTLS) && t.isClearHTTP(raw):
		t.dest.Scheme = "http"
		t.clear()
	case err != nil:
		t.closePeek(raw, err)
	case t.passthrough:
		t.splice(h)
	default:
		t.inspect(h)
	}
}

// isClearHTTP tells a request in clear, which a rule may allow as http, from
// other protocols. On 443 nothing in clear is let through.
func (t *tunnel) isClearHTTP(raw []byte) bool {
	return t.dest.Port != 443 && !t.passthrough && raw[0] >= 'A' && raw[0] <= 'Z'
}

func (t *tunnel) closePeek(raw []byte, err error) {
	switch {
	case len(raw) == 0 && errors.Is(err, io.EOF):
		t.client.Close() // opened and closed without a word
	case errors.Is(err, os.ErrDeadlineExceeded):
		t.close(schemas.CodeBadRequest, "the tunnel's TLS handshake did not begin in time")
	case errors.Is(err, hello.ErrNotTLS):
		t.close(schemas.CodeBadRequest, "the bytes in the tunnel are not TLS")
	default:
		t.close(schemas.CodeBadRequest, "the tunnel's TLS handshake is malformed")
	}
}

// close ends the tunnel without an HTTP answer, with a record of why.
func (t *tunnel) close(code schemas.Code, detail string) {
	if t.recorded.CompareAndSwap(false, true) {
		t.g.recordClosed(closedConn{sandbox: t.box, dest: t.dest, method: "CONNECT", code: code, detail: detail})
	}
	t.client.Close()
}

// recordRefusal records a refused tunnel in which no request was ever read.
func (t *tunnel) recordRefusal() {
	if !t.recorded.CompareAndSwap(false, true) {
		return
	}
	ex := &exchange{g: t.g, id: newID(), box: t.box, peer: t.peer, gen: t.g.engine.Current(), dest: t.dest}
	ex.r = connectRequest
	if err := ex.decideConnect(); err != nil || ex.decision.Allow {
		ex.setRefusal(schemas.CodeHostNotInPolicy, t.dest.Host+" is not in policy "+t.box.Policy)
	}
	_ = ex.record() // logged; there is nobody to tell
}

// The alerts of RFC 8446, section 6, that are sent before a handshake.
const (
	alertInternalError    = 80
	alertUnrecognizedName = 112
)

func (t *tunnel) alert(description byte) {
	_ = t.client.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = t.client.Write([]byte{21, 3, 1, 0, 2, 2, description})
}

// checkName compares the server name with the CONNECT. A client that names none
// can still be inspected: the leaf is for the CONNECT's host.
func (t *tunnel) checkName(h hello.Hello) bool {
	if h.ServerName == "" {
		return true
	}
	host, err := canon.Host(h.ServerName)
	if err == nil && host == t.dest.Host {
		return true
	}
	t.alert(alertUnrecognizedName)
	t.close(schemas.CodeAuthorityMismatch, fmt.Sprintf("the TLS server name %q is not the CONNECT's %q", h.ServerName, t.dest.Host))
	return false
}

func (t *tunnel) inspect(h hello.Hello) {
	if !t.checkName(h) {
		return
	}
	if !t.listed && !t.g.leaves.Cached(t.dest.Host, false) && !t.g.minting.allow(t.box.ID) {
		t.alert(alertInternalError)
		t.close(schemas.CodeLimitExceeded, "the sandbox asks for too many new host names")
		return
	}
	c := tls.Server(&leafConn{Conn: t.client, t: t}, t.g.tlsConfig)
	if err := t.shake(c); err != nil {
		t.g.log.Debug("handshake with a sandbox failed", "sandbox", t.box.ID, "host", t.dest.Host, "error", err)
		t.g.metrics.handshakeErrors.Inc()
		t.closeHandshake(err)
		return
	}
	t.g.inner.serve(c, t, c.ConnectionState().NegotiatedProtocol)
}

// shake does the handshake, no more at once than a sandbox may.
func (t *tunnel) shake(c *tls.Conn) error {
	ctx, cancel := context.WithTimeout(t.g.work, t.g.cfg.Limits.HandshakeTimeout)
	defer cancel()
	room := t.g.tenants.of(t.box.ID).handshakes
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
		return fmt.Errorf("too many handshakes at once: %w", ctx.Err())
	}
	turn := t.g.turns.take(t.box.ID)
	defer t.g.turns.give(turn)
	return c.HandshakeContext(ctx)
}

// closeHandshake records a handshake that the gateway would not go on with. One
// that the client broke off, mostly because it does not trust the gateway's
// certificates, is no refusal.
func (t *tunnel) closeHandshake(err error) {
	var alert tls.AlertError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "remote error", errors.As(err, &alert),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		t.client.Close()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		t.close(schemas.CodeBadRequest, "the TLS handshake took too long")
	default:
		t.close(schemas.CodeBadRequest, "the TLS handshake failed: "+err.Error())
	}
}

// leafConn tells the shared TLS configuration which leaf to show.
type leafConn struct {
	net.Conn
	t *tunnel
}

// serverTLS is the configuration of every inspected tunnel; only one that is
// shared resumes sessions.
func (g *Gateway) serverTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: g.inner.protocols(),
		GetCertificate: func(info *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, ok := info.Conn.(*leafConn)
			if !ok {
				return nil, errors.New("not a tunnel")
			}
			return g.leaves.Get(c.t.dest.Host, c.t.listed)
		},
	}
}

// innerOptions reads the heads inside a tunnel as strictly as those outside.
func (t *tunnel) innerOptions() head.Options {
	return head.Options{
		MaxBytes: t.g.cfg.Limits.HeaderBytes,
		Timeout:  t.g.cfg.Limits.HeaderTimeout,
		Owner:    t,
		OnAbort: func(f *head.Fault) {
			if t.recorded.CompareAndSwap(false, true) || !t.refused {
				t.g.recordClosed(closedConn{sandbox: t.box, dest: t.dest, method: f.Method, code: schemas.CodeBadRequest, detail: f.Detail})
			}
		},
	}
}

// frameOptions records what net/http answers by itself in HTTP/2.
func (t *tunnel) frameOptions() h2.Options {
	return h2.Options{
		Timeout: t.g.cfg.Limits.HeaderTimeout,
		Owner:   t,
		Unanswered: func(detail string) {
			if t.recorded.CompareAndSwap(false, true) || !t.refused {
				t.g.recordClosed(closedConn{sandbox: t.box, dest: t.dest, code: schemas.CodeBadRequest, detail: detail})
			}
		},
	}
}

// clear serves requests in clear, of HTTP/2 where the client begins with its
// preface: gRPC without TLS does.
func (t *tunnel) clear() {
	_ = t.client.SetReadDeadline(time.Now().Add(t.g.cfg.Limits.HandshakeTimeout))
	protocol := ""
	if t.beginsAsHTTP2() {
		protocol = "h2"
	}
	_ = t.client.SetReadDeadline(time.Time{})
	t.g.inner.serve(t.client, t, protocol)
}

// beginsAsHTTP2 reads as much as it takes to tell. An error is left to whoever
// reads on.
func (t *tunnel) beginsAsHTTP2() bool {
	c := t.client
	for {
		n := min(len(c.first), len(h2.Preface))
		if string(c.first[:n]) != h2.Preface[:n] {
			return false
		}
		if n == len(h2.Preface) {
			return true
		}
		var more [64]byte
		got, err := c.Conn.Read(more[:])
		c.first = append(c.first, more[:got]...)
		if err != nil {
			return false
		}
	}
}
