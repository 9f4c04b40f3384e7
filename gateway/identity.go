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
		s, ok := g.registry.Running(cc.socket)
		e.add(bySocket, s, ok)
	}
	if id, ok := g.sourceOf(cc); ok {
		s, running := g.registry.Running(id)
		e.add(bySource, s, running)
	}
	return e
}

func (g *Gateway) sourceOf(cc *clientConn) (string, bool) {
	if g.deps.Sources == nil {
		return "", false
	}
	ap, err := netip.ParseAddrPort(cc.RemoteAddr().String())
	if err != nil {
		return "", false
	}
	return g.deps.Sources.Sandbox(ap.Addr().Unmap().WithZone(""))
}

// token adds credentials; ok tells whether they could be read.
func (e *evidence) token(id, token string, ok bool) {
	s, known := e.g.registry.Authenticate(id, token)
	e.add(byToken, s, ok && known)
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
	s, _ := g.registry.Find(id)
	if id == "" {
		return adminapi.Sandbox{}
	}
	return s
}
