package gateway

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// identify returns the sandbox that the evidence names: the listener that
// accepted the connection, the credentials of the request, and whose the
// connection was before. All that is there must agree. The code is "" for a
// sandbox that may go on.
func (g *Gateway) identify(cc *clientConn, r *http.Request) (adminapi.Sandbox, schemas.Code) {
	var named []adminapi.Sandbox
	if cc.socket != "" {
		s, ok := g.registry.Running(cc.socket)
		if !ok {
			return adminapi.Sandbox{}, schemas.CodeUnknownSandbox
		}
		named = append(named, s)
	}
	if fields := r.Header.Values("Proxy-Authorization"); len(fields) > 0 {
		id, token, ok := basic(fields)
		s, known := g.registry.Authenticate(id, token)
		if !ok || !known {
			return adminapi.Sandbox{}, schemas.CodeUnknownSandbox
		}
		named = append(named, s)
	}
	if len(named) == 0 {
		return adminapi.Sandbox{}, schemas.CodeUnknownSandbox
	}
	for _, s := range named[1:] {
		if s.ID != named[0].ID {
			return adminapi.Sandbox{}, schemas.CodeIdentityMismatch
		}
	}
	switch ok, full := cc.claim(named[0].ID); {
	case full:
		return named[0], schemas.CodeLimitExceeded
	case !ok:
		return adminapi.Sandbox{}, schemas.CodeIdentityMismatch
	}
	return named[0], ""
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
