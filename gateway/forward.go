package gateway

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"strings"

	"github.com/elazarl/goproxy"
	"golang.org/x/net/http/httpguts"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	ex, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return ex
}

// newProxy makes the goproxy through which every allowed request goes: its
// filters, and its copying of responses, trailers and WebSocket frames. Its own
// handling of CONNECT is never reached.
func (g *Gateway) newProxy() *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Logger = g.serverLog()
	p.KeepAcceptEncoding = true
	p.ConnectDial = nil
	p.Tr = nil // the transport depends on the rule
	p.OnRequest().DoFunc(func(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
		ctx.RoundTripper = goproxy.RoundTripperFunc(g.roundTrip)
		return r, nil
	})
	return p
}

// forward sends what was decided, and nothing else, upstream.
func (ex *exchange) forward(c *canon.Canonical, ws bool) {
	u, ok := forwardURL(c)
	if !ok {
		ex.refuse(schemas.CodeBadRequest, "the path cannot be sent on as it was decided")
		return
	}
	ctx := context.WithValue(ex.r.Context(), exchangeKey{}, ex)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: ex.gotConn})
	ex.upstream = upstreamState{websocket: ws}
	out := ex.r.WithContext(ctx)
	out.URL, out.Host, out.Close, out.RequestURI = u, u.Host, false, ""
	cleanRequest(out.Header, ws)
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	} else {
		ex.upstream.request = &slowBody{
			ReadCloser: ex.tenant().slowed(ex.g.work, out.Body), control: http.NewResponseController(ex.w),
			timeout: ex.g.cfg.Limits.BodyTimeout, ended: keepNames(out.Trailer),
		}
		out.Body = ex.upstream.request
	}
	w := &responseWriter{ResponseWriter: ex.w, ex: ex}
	ex.g.proxy.ServeHTTP(w, out)
	ex.finish(w)
}

// forwardURL makes the URL that net/http writes exactly as the canonical form
// has it.
func forwardURL(c *canon.Canonical) (*url.URL, bool) {
	path, err := url.PathUnescape(c.ForwardPath)
	if err != nil {
		return nil, false
	}
	u := &url.URL{Scheme: c.Scheme, Host: upstreamHost(c), Path: path, RawPath: c.ForwardPath, RawQuery: c.ForwardQuery}
	return u, u.EscapedPath() == c.ForwardPath && strings.HasPrefix(c.ForwardPath, "/")
}

func upstreamHost(c *canon.Canonical) string {
	if c.Scheme == "https" && c.Port == 443 || c.Scheme == "http" && c.Port == 80 {
		if strings.Contains(c.Host, ":") {
			return "[" + c.Host + "]"
		}
		return c.Host
	}
	return hostPort(c.Host, c.Port)
}

// finish ends what the response began: it records the outcome and closes a
// connection whose response was cut off, so that it does not look complete.
func (ex *exchange) finish(w *responseWriter) {
	s := &ex.upstream
	if w.hijacked != nil {
		w.hijacked.Close()
	}
	if s.release != nil {
		s.release()
	}
	if !s.sent {
		return // refused on the way: the record says so
	}
	o := schemas.Outcome{Status: s.status, Bytes: w.bytes, Error: s.failure}
	truncated := s.body != nil && s.body.err != nil
	if truncated && o.Error == "" {
		o.Error = "response cut off: " + s.body.err.Error()
	}
	if o.Error == "" && w.failed != nil {
		o.Error = "the client did not take the response: " + w.failed.Error()
	}
	ex.recordOutcome(o)
	if truncated && w.hijacked == nil {
		panic(http.ErrAbortHandler)
	}
}

// hopByHop are the header fields of one connection (RFC 9110, section 7.6.1),
// and those by which proxies talk to their neighbours.
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

func removeHopByHop(h http.Header) {
	for _, value := range h["Connection"] {
		for _, name := range strings.Split(value, ",") {
			if name = strings.TrimSpace(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

func cleanRequest(h http.Header, ws bool) {
	trailers := httpguts.HeaderValuesContainsToken(h["Te"], "trailers")
	removeHopByHop(h)
	if trailers {
		h.Set("Te", "trailers") // gRPC asks for them
	}
	if ws {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "websocket")
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = []string{""} // net/http would add its own
	}
}

// cleanResponse takes out what is for the upstream connection only, what would
// lead a client around the proxy, and what only the gateway may say.
func cleanResponse(h http.Header) {
	removeHopByHop(h)
	for name := range h {
		if name == "Alt-Svc" || strings.HasPrefix(name, "X-Openshell-") || strings.HasPrefix(name, "X-Policy-") {
			delete(h, name)
		}
	}
}

// permit are the private addresses that the deciding rule consents to.
func (ex *exchange) permit() []netip.Prefix {
	if ex.rule.Effect == "deny" || !ex.decision.Allow && !reachedHost(ex.decision.Code) {
		return nil
	}
	permit := ex.rule.AllowPrivate
	if a, err := netip.ParseAddr(ex.dest.Host); err == nil && ex.rule.Host == ex.dest.Host {
		permit = append(permit[:len(permit):len(permit)], netip.PrefixFrom(a, a.BitLen()))
	}
	return permit
}

// reachedHost tells a near miss of a rule that does name the destination.
func reachedHost(c schemas.Code) bool {
	switch c {
	case schemas.CodeMethodNotAllowed, schemas.CodePathNotAllowed, schemas.CodeQueryNotAllowed,
		schemas.CodeWebSocketNotAllowed, schemas.CodeBinaryNotAllowed:
		return true
	}
	return false
}
