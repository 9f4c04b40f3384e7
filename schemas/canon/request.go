package canon

import (
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// Request is one HTTP request as it was received.
type Request struct {
	Method        string
	Scheme        string // http or https
	Host          string // without port and brackets
	Port          int    // 0: the scheme's default
	RawPath       string // as on the wire; "" means "/"
	RawQuery      string // without "?"
	WebSocket     bool   // a validated upgrade
	ContentLength int64  // -1 unknown
	Binary        string
	Ancestors     []string
	Overrides     []string // methods that override headers name
}

// Canonical is a request as it is decided and sent on.
type Canonical struct {
	Host   string
	Port   int
	Scheme string
	// ForwardPath is the encoded path to send. Canonicalising it again gives
	// the same readings.
	ForwardPath  string
	ForwardQuery string
	// Readings are what origins may take the request for, at least one; the
	// first has the path as it is sent. Every one must be allowed.
	Readings []schemas.NetworkInput
}

// Network returns the canonical form of a request, or an *Error.
func Network(r Request) (*Canonical, error) {
	c, err := network(&r)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func network(r *Request) (*Canonical, *Error) {
	if r.Scheme != "http" && r.Scheme != "https" {
		return nil, refuse("the scheme %q is not http or https", r.Scheme)
	}
	if err := checkMethod(r.Method); err != nil {
		return nil, err
	}
	host, err := Host(r.Host)
	if err != nil {
		return nil, refuse("%s", err.Error())
	}
	port := r.Port
	if port == 0 {
		port = defaultPort(r.Scheme)
	}
	if port < 1 || port > 65535 {
		return nil, refuse("%d is not a port", port)
	}
	path, variants, e := canonicalPath(r.RawPath)
	if e != nil {
		return nil, e
	}
	query, e := parseQuery(r.RawQuery)
	if e != nil {
		return nil, e
	}
	c := &Canonical{Host: host, Port: port, Scheme: r.Scheme, ForwardPath: path, ForwardQuery: r.RawQuery}
	first := schemas.NetworkInput{
		Scheme: r.Scheme, Host: host, Port: port, Method: r.Method, Query: query, WebSocket: r.WebSocket,
		ContentLength: r.ContentLength, Binary: Escape(r.Binary), Ancestors: escapeAll(r.Ancestors),
	}
	deriveHost(&first)
	return c, c.addReadings(&first, variants, r.Overrides)
}

// addReadings makes one reading for each path and method.
func (c *Canonical) addReadings(first *schemas.NetworkInput, paths []string, overrides []string) *Error {
	c.Readings = make([]schemas.NetworkInput, 0, len(paths)*(1+len(overrides)))
	for _, p := range paths {
		in := *first
		in.Path = p
		derivePath(&in)
		c.Readings = append(c.Readings, in)
	}
	seen := []string{first.Method}
	for _, m := range overrides {
		if err := checkMethod(m); err != nil {
			return err
		}
		if slices.Contains(seen, m) {
			continue
		}
		seen = append(seen, m)
		for _, in := range c.Readings[:len(paths)] {
			in.Method = m
			c.Readings = append(c.Readings, in)
		}
	}
	return nil
}

// checkMethod accepts methods that can be decided. Methods are case-sensitive
// (RFC 9110, section 9.1): one in lower case is another one, that nobody knows.
func checkMethod(m string) *Error {
	lower := false
	for i := 0; i < len(m); i++ {
		if !isTokenByte(m[i]) {
			return refuse("%q is not a method", m)
		}
		lower = lower || 'a' <= m[i] && m[i] <= 'z'
	}
	switch {
	case m == "":
		return refuse("the method is empty")
	case len(m) > 64:
		return refuseStatus(statusNotImplemented, "the method is longer than 64 bytes")
	case lower:
		return refuseStatus(statusNotImplemented, "the method %q is not known: methods are in upper case", m)
	case m == "TRACE" || m == "TRACK":
		return refuseStatus(statusMethodNotAllowed, "%s sends back what proxies add", m)
	case m == "CONNECT":
		return refuseStatus(statusMethodNotAllowed, "CONNECT inside a tunnel")
	}
	return nil
}

// isTokenByte tells the bytes of a token (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// ParseRequest reads a request as eval and policy tests write it: a method and
// an absolute URL. The content length is not known.
func ParseRequest(method, rawURL string) (Request, error) {
	scheme, rest, ok := strings.Cut(rawURL, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case !ok:
		return Request{}, refuse("%q is not an absolute URL, such as https://example.com/", rawURL)
	case scheme == "ws" || scheme == "wss":
		return Request{}, refuse("write %s with http or https, and websocket: true", rawURL)
	case scheme != "http" && scheme != "https":
		return Request{}, refuse("the scheme %q is not http or https", scheme)
	case strings.IndexByte(rest, '#') >= 0:
		return Request{}, refuse("%q has a fragment, which no client sends", rawURL)
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	host, port, err := Authority(rest[:end], scheme)
	if err != nil {
		return Request{}, err
	}
	path, query, _ := strings.Cut(rest[end:], "?")
	return Request{
		Method: method, Scheme: scheme, Host: host, Port: port, RawPath: path, RawQuery: query, ContentLength: -1,
	}, nil
}
