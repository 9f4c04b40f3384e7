package gateway

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// denial is the body of every answer that the gateway makes itself.
type denial struct {
	Error      string       `json:"error"` // policy_denied, or the code where no policy was asked
	Code       schemas.Code `json:"code"`
	Message    string       `json:"message"`
	Policy     string       `json:"policy"`
	Rule       string       `json:"rule"`
	Sandbox    string       `json:"sandbox"`
	DecisionID string       `json:"decision_id"`
	Hint       string       `json:"hint,omitempty"`
}

// unreadFor is how long the server may go on reading a body that nobody wants.
// Without it net/http waits for up to 256 KiB with no deadline, and one silent
// client holds the connection and the shutdown.
const unreadFor = 500 * time.Millisecond

// deny records the decision and answers.
func (ex *exchange) deny(status int) {
	if err := ex.record(); err != nil {
		ex.setRefusal(schemas.CodeAuditUnavailable, "the decision could not be recorded")
		status = http.StatusServiceUnavailable
	}
	ex.writeDenial(status)
}

func (ex *exchange) writeDenial(status int) {
	h := ex.w.Header()
	for name, values := range ex.denialHeader(status) {
		h[name] = values
	}
	if ex.closes(status) {
		h.Set("Connection", "close")
		_ = http.NewResponseController(ex.w).SetReadDeadline(time.Now().Add(unreadFor))
	}
	ex.w.WriteHeader(status)
	if ex.r.Method != http.MethodHead {
		_, _ = ex.w.Write(ex.denialBody(status))
	}
}

// closes tells whether the connection ends with this answer: after a body that
// was not read, after anything malformed, and when the whole tunnel is refused.
// HTTP/2 ends a stream instead.
func (ex *exchange) closes(status int) bool {
	if ex.r.ProtoMajor == 2 {
		return ex.tunnel != nil && ex.tunnel.refused
	}
	return ex.r.ContentLength != 0 || status != http.StatusForbidden ||
		ex.tunnel == nil && ex.r.Method == http.MethodConnect ||
		ex.tunnel != nil && ex.tunnel.refused || ex.r.Header.Get("Upgrade") != ""
}

func (ex *exchange) denialHeader(status int) http.Header {
	h := http.Header{
		"Content-Type":           {"application/json"},
		"Cache-Control":          {"no-store"},
		"X-Content-Type-Options": {"nosniff"},
		"X-Openshell-Code":       {string(ex.decision.Code)},
	}
	switch status {
	case http.StatusProxyAuthRequired:
		h.Set("Proxy-Authenticate", `Basic realm="openshell"`)
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="openshell"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
	}
	return h
}

func (ex *exchange) denialBody(status int) []byte {
	d := &ex.decision
	body := denial{
		Error: "policy_denied", Code: d.Code, Message: audit.MaskText(d.Message), Policy: ex.box.Policy, Rule: d.Rule,
		Sandbox: ex.box.ID, DecisionID: ex.id, Hint: audit.MaskText(d.Hint),
	}
	if ex.told != nil && ex.told.Code == d.Code {
		body.Message, body.Hint = ex.told.Message, ex.told.Hint
	}
	if status != http.StatusForbidden {
		body.Error = string(d.Code)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // strings only
	return b.Bytes()
}

// denialResponse is the denial as goproxy wants it, from inside the transport.
func (ex *exchange) denialResponse(status int) *http.Response {
	body := ex.denialBody(status)
	h := ex.denialHeader(status)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if ex.closes(status) {
		h.Set("Connection", "close")
		_ = http.NewResponseController(ex.w).SetReadDeadline(time.Now().Add(unreadFor))
	}
	if ex.r.Method == http.MethodHead {
		body = nil
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)), Request: ex.r,
	}
}
