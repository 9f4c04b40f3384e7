package gateway

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// evidence is what a request shows of whose it is. All of it must agree.
type evidence struct {
	g     *Gateway
	named []adminapi.Sandbox
	kinds evidenceKind // those that named a sandbox
	code  schemas.Code // why it is worthless; "" for nothing wrong
}

// evidenceKind is a set of kinds.
type evidenceKind uint8

const (
	bySocket evidenceKind = 1 << iota
	byToken
	bySource
)

// identify returns the sandbox that the evidence names: the listener that
// accepted the connection, the address it comes from, the credentials of the
// request, and whose the connection was before. The code is "" for a sandbox that
// may go on.
func (g *Gateway) identify(cc *clientConn, r *http.Request) (adminapi.Sandbox, schemas.Code) {
	e := g.evidenceOf(cc)
	if fields := r.Header["Proxy-Authorization"]; len(fields) > 0 {
		id, token, ok := basic(fields)
		e.token(id, token, ok)
	}
	return e.settle(cc)
}

// evidenceOf gathers what the connection itself shows.
func (g *Gateway) evidenceOf(cc *clientConn) *evidence {
	e := &evidence{g: g}
	if cc.socket != "" {
		s, ok := g.people.running(cc.socket)
		e.add(bySocket, s, ok)
	}
	if ap, err := netip.ParseAddrPort(cc.RemoteAddr().String()); err == nil {
		if s, running, known := g.people.at(ap.Addr().Unmap().WithZone("")); known {
			e.add(bySource, s, running)
		}
	}
	return e
}

// token adds credentials; ok tells whether they could be read. Without an id they
// are none: only a bearer token stands alone.
func (e *evidence) token(id, token string, ok bool) {
	if !ok || id == "" {
		e.add(byToken, adminapi.Sandbox{}, false)
		return
	}
	s, known := e.g.people.authenticate(id, token)
	e.add(byToken, s, known)
}

// bearer adds what an Authorization field holds (RFC 6750, section 2.1).
func (e *evidence) bearer(fields []string) {
	scheme, token, ok := strings.Cut(fields[0], " ")
	if len(fields) != 1 || !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		e.add(byToken, adminapi.Sandbox{}, false)
		return
	}
	s, known := e.g.people.authenticate("", token)
	e.add(byToken, s, known)
}

func (e *evidence) add(kind evidenceKind, s adminapi.Sandbox, ok bool) {
	if !ok {
		e.code = schemas.CodeUnknownSandbox
		return
	}
	e.kinds |= kind
	e.named = append(e.named, s)
}

// settle decides whose the request is, and claims the connection for it.
func (e *evidence) settle(cc *clientConn) (adminapi.Sandbox, schemas.Code) {
	switch {
	case e.code != "":
		return adminapi.Sandbox{}, e.code
	case !e.suffices():
		return adminapi.Sandbox{}, schemas.CodeIdentityRequired
	}
	for _, s := range e.named[1:] {
		if s.ID != e.named[0].ID {
			return adminapi.Sandbox{}, schemas.CodeIdentityMismatch
		}
	}
	switch ok, full := cc.claim(e.named[0].ID); {
	case full:
		return e.named[0], schemas.CodeLimitExceeded
	case !ok:
		return adminapi.Sandbox{}, schemas.CodeIdentityMismatch
	}
	return e.named[0], ""
}

// suffices holds the evidence to what the configuration requires.
func (e *evidence) suffices() bool {
	if len(e.named) == 0 {
		return false
	}
	need := map[string]evidenceKind{RequireToken: byToken, RequireSource: bySource, RequireBoth: byToken | bySource}[e.g.cfg.Identity.Require]
	return e.kinds&bySocket != 0 || e.kinds&need == need
}

// basic reads one Proxy-Authorization field: Basic and id:token in base64
// (RFC 7617).
func basic(fields []string) (id, token string, ok bool) {
	if len(fields) != 1 {
		return "", "", false
	}
	scheme, encoded, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(decoded), ":")
}

// owner returns whose a connection is, as far as it is known.
func (g *Gateway) owner(cc *clientConn) adminapi.Sandbox {
	cc.mu.Lock()
	id := cc.sandbox
	cc.mu.Unlock()
	if id == "" {
		id = cc.socket
	}
	if id == "" {
		return adminapi.Sandbox{}
	}
	s, _ := g.people.find(id)
	return s
}
