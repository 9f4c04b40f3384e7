package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/elazarl/goproxy"

	"github.com/openshell-policy/openshell/gateway/guard"
	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
)

// upstreamState is an exchange's way to the upstream and back.
type upstreamState struct {
	websocket bool
	sent      bool // the decision is recorded as allowed, an outcome follows
	status    int
	failure   string
	request   *slowBody // nil without a request body
	body      *countedBody
	release   func() // of a WebSocket that is being held
}

// roundTrip sends a request for goproxy. It never returns an error: goproxy
// would show it to the client in its own words.
func (g *Gateway) roundTrip(r *http.Request, _ *goproxy.ProxyCtx) (*http.Response, error) {
	ex := exchangeOf(r)
	g.metrics.added.Observe(time.Since(ex.start).Seconds())
	resp, err := g.upstreams.transport(ex.permit(), ex.dest.Scheme == "http" && ex.r.ProtoMajor == 2).RoundTrip(r)
	if err != nil {
		return ex.failed(err), nil
	}
	return ex.answered(resp), nil
}

// gotConn runs when a checked connection is there and nothing of the request has
// been written: now the decision is recorded. Where that fails the connection is
// closed, so that nothing can be written; net/http may try others, and each of
// them is closed too.
func (ex *exchange) gotConn(info httptrace.GotConnInfo) {
	if ex.record() != nil {
		info.Conn.Close()
	}
}

// failed turns an error of the transport into the answer.
func (ex *exchange) failed(err error) *http.Response {
	var refused *guard.Refused
	if errors.As(err, &refused) && !ex.recorded {
		ex.setPrivate(refused)
	}
	if ex.record() != nil {
		ex.setRefusal(schemas.CodeAuditUnavailable, "the decision could not be recorded")
		return ex.denialResponse(http.StatusServiceUnavailable)
	}
	if ex.decision.Code == schemas.CodePrivateAddress {
		return ex.denialResponse(http.StatusForbidden)
	}
	s := &ex.upstream
	s.sent, s.failure = true, err.Error()
	if hc := connOf(ex.r); hc != nil && hc.BadBody() {
		return ex.failure(schemas.CodeBadRequest, head.ErrBody.Error())
	}
	if s.request != nil && s.request.failed.Load() {
		return ex.failure(schemas.CodeBadRequest, "the request body is malformed or broke off")
	}
	return ex.failure(schemas.CodeUpstreamError, "the upstream could not be reached or did not answer: "+err.Error())
}

// failure answers for an allowed request that came to nothing. Its record says
// that it was allowed, its outcome what went wrong.
func (ex *exchange) failure(code schemas.Code, detail string) *http.Response {
	ex.upstream.status = 0
	allowed := ex.decision
	ex.decision.Code, ex.decision.Message = code, detail
	resp := ex.denialResponse(code.Info().Status)
	ex.decision = allowed
	return resp
}

// setPrivate makes the dial guard's refusal the decision.
func (ex *exchange) setPrivate(r *guard.Refused) {
	where := ex.rule.ID
	if ex.rule.File != "" {
		where = fmt.Sprintf("%s, %s:%d", ex.rule.ID, ex.rule.File, ex.rule.Line)
	}
	was := ex.decision
	ex.setRefusal(schemas.CodePrivateAddress, fmt.Sprintf("%s resolves to %s (%s), which no allow_private of %s covers", ex.dest.Host, r.Addr, r.Why, where))
	ex.decision.Rule, ex.decision.Source = was.Rule, was.Source
}

// answered checks the head of the upstream's response and makes it ready for the
// client.
func (ex *exchange) answered(resp *http.Response) *http.Response {
	s := &ex.upstream
	s.sent, s.status = true, resp.StatusCode
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return ex.upgraded(resp)
	}
	if !isHTTP(resp) {
		resp.Body.Close()
		s.failure = "the answer is not HTTP as it is spoken"
		return ex.failure(schemas.CodeUpstreamError, "the upstream's answer has a version or status that is none of HTTP's")
	}
	cleanResponse(resp.Header)
	cleanResponse(resp.Trailer)
	if s.websocket {
		resp.Header.Set("Connection", "close") // what follows a refused upgrade is not HTTP
	}
	s.body = &countedBody{ReadCloser: ex.tenant().slowed(ex.r.Context(), resp.Body), resp: resp}
	resp.Body = s.body
	return resp
}

// isHTTP tells versions and statuses that can be passed on; net/http takes any.
func isHTTP(resp *http.Response) bool {
	version := resp.ProtoMajor == 2 && resp.ProtoMinor == 0 || resp.ProtoMajor == 1 && resp.ProtoMinor <= 1
	return version && resp.StatusCode >= 200 && resp.StatusCode <= 999
}

// countedBody remembers why a body ended early: goproxy would end the response
// as if it were whole.
type countedBody struct {
	io.ReadCloser
	resp *http.Response
	err  error
}

// Read notes the first error that is not the end, where the trailer has come.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		cleanResponse(b.resp.Trailer)
	}
	if err != nil && err != io.EOF && b.err == nil {
		b.err = err
	}
	return n, err
}
