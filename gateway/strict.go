package gateway

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// destination is the one place a request goes to: policy, dial, server name,
// Host, certificate check and log line all use it.
type destination struct {
	Scheme string // http or https
	Host   string // canonical
	Port   int
}

// misread is a request that is refused because two programs could read it
// differently, or because a proxy must not pass it on.
type misread struct {
	status int // 0: the code's own
	code   schemas.Code
	detail string
}

// Error returns the detail.
func (m *misread) Error() string { return m.detail }

func badRequest(detail string) *misread {
	return &misread{code: schemas.CodeBadRequest, detail: detail}
}

func authorityOf(s, scheme string) (string, int, error) { return canon.Authority(s, scheme) }

// checkStrict refuses what the policy must not be asked about.
func checkStrict(r *http.Request) *misread {
	switch r.Method {
	case http.MethodTrace, "TRACK":
		return &misread{http.StatusMethodNotAllowed, schemas.CodeBadRequest, r.Method + " echoes what the gateway adds"}
	case http.MethodConnect:
		return &misread{http.StatusMethodNotAllowed, schemas.CodeBadRequest, "CONNECT inside a tunnel"}
	}
	if r.RequestURI == "*" {
		return badRequest("the asterisk form of a request target")
	}
	if m := checkHTTP2(r); m != nil {
		return m
	}
	return checkNames(r)
}

// checkHTTP2 holds requests of HTTP/2 to what package head demands of others.
func checkHTTP2(r *http.Request) *misread {
	if r.ProtoMajor != 2 {
		return nil
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	switch {
	case r.Method != strings.ToUpper(r.Method):
		return &misread{http.StatusNotImplemented, schemas.CodeBadRequest, "methods are upper case"}
	case len(path) > head.MaxPath || len(r.RequestURI) > head.MaxTarget:
		return &misread{http.StatusRequestURITooLong, schemas.CodeBadRequest, "the request target is too long"}
	case strings.ContainsFunc(r.RequestURI, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return badRequest("the request target holds a byte that belongs percent-encoded")
	case len(r.Header) > head.MaxHeaders:
		return &misread{http.StatusRequestHeaderFieldsTooLarge, schemas.CodeBadRequest, "too many header fields"}
	case len(r.Header["Host"]) > 0 && (len(r.Header["Host"]) > 1 || r.Header["Host"][0] != r.Host):
		return badRequest("Host is not :authority")
	}
	delete(r.Header, "Host")
	return checkLength(r)
}

// checkLength holds the Content-Length of an HTTP/2 request to its one form.
// net/http reads a malformed one as none.
func checkLength(r *http.Request) *misread {
	values := r.Header["Content-Length"]
	if len(values) == 0 {
		return nil
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if len(values) > 1 || err != nil || values[0][0] == '+' || int64(n) != r.ContentLength {
		return badRequest("Content-Length is not the length of the body")
	}
	return nil
}

// overrideHeaders ask some frameworks for another method than the request's.
var overrideHeaders = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// maxOverrides bounds the methods that one request may be decided for besides
// its own: each costs decisions, and nobody means more than one.
const maxOverrides = 4

// overrides returns the methods that override headers name; each is decided too.
func overrides(h http.Header) ([]string, *misread) {
	var methods []string
	for _, name := range overrideHeaders {
		for _, value := range h[name] {
			for _, m := range strings.Split(value, ",") {
				m = strings.ToUpper(strings.TrimSpace(m))
				if !httpguts.ValidHeaderFieldName(m) {
					return nil, badRequest(name + " does not name a method")
				}
				if methods = append(methods, m); len(methods) > maxOverrides {
					return nil, badRequest("override headers name too many methods")
				}
			}
		}
	}
	return methods, nil
}

// isWebSocket tells a WebSocket upgrade (RFC 6455, section 4.2.1); one that is
// not well-formed is an error.
func isWebSocket(r *http.Request) (bool, *misread) {
	if !httpguts.HeaderValuesContainsToken(r.Header["Upgrade"], "websocket") {
		return false, nil
	}
	key := r.Header["Sec-Websocket-Key"]
	switch {
	case r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor != 1:
		return false, badRequest("a WebSocket upgrade is a GET of HTTP/1.1")
	case !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "upgrade"):
		return false, badRequest("a WebSocket upgrade without Connection: Upgrade")
	case len(r.Header["Upgrade"]) != 1 || !strings.EqualFold(r.Header["Upgrade"][0], "websocket"):
		return false, badRequest("an upgrade to WebSocket or something else")
	case len(key) != 1 || !is16Bytes(key[0]):
		return false, badRequest("a WebSocket upgrade without a key")
	case len(r.Header["Sec-Websocket-Version"]) != 1 || r.Header["Sec-Websocket-Version"][0] != "13":
		return false, badRequest("a WebSocket upgrade of another version than 13")
	}
	return true, nil
}

func is16Bytes(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// innerTarget checks a request inside a tunnel against the tunnel's destination
// and returns its path with the query.
func innerTarget(r *http.Request, d destination) (string, *misread) {
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") && target != "*" {
		scheme, rest, ok := strings.Cut(target, "://")
		if !ok || !strings.EqualFold(scheme, d.Scheme) {
			return "", badRequest("the request target's scheme is not the tunnel's")
		}
		var authority string
		authority, target = splitAuthority(rest)
		if m := sameAuthority(authority, d); m != nil {
			return "", m
		}
	}
	if r.Host == "" && !r.ProtoAtLeast(1, 1) {
		return target, nil // HTTP/1.0 needs no Host: the tunnel says it
	}
	return target, sameAuthority(r.Host, d)
}

func sameAuthority(authority string, d destination) *misread {
	host, port, err := authorityOf(authority, d.Scheme)
	if err != nil {
		return badRequest(err.Error())
	}
	if host != d.Host || port != d.Port {
		return &misread{code: schemas.CodeAuthorityMismatch, detail: "the request is for " + hostPort(host, port) + ", the tunnel for " + hostPort(d.Host, d.Port)}
	}
	return nil
}
