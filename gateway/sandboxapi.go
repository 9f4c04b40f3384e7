package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/openshell-policy/openshell/gateway/reports"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// The sandbox API is what the shim of a sandbox asks of the gateway, on the
// listeners of the proxy, which are all that a sandbox can reach. Its requests
// are in origin form, and these two are all that is served there.
const (
	bundlePath  = "/sandbox/v1/bundle"
	recordsPath = "/sandbox/v1/records"
)

// The limits of one sandbox. A record costs a synchronised write, and a sandbox
// must not fill the disk with what it says of itself.
const (
	apiPerSecond     = 10
	apiBurst         = 60
	reportsPerSecond = 1 << 20 // bytes
	reportsBurst     = 8 << 20
	pollsAtOnce      = 4
	reportsAtOnce    = 2
	reportTimeout    = 30 * time.Second // for the body
)

// apiQuota is what a sandbox may still ask.
type apiQuota struct {
	requests *rate.Limiter
	bytes    *rate.Limiter
	polls    chan struct{}
	reports  chan struct{}
}

func newAPIQuota() *apiQuota {
	return &apiQuota{
		requests: rate.NewLimiter(apiPerSecond, apiBurst),
		bytes:    rate.NewLimiter(reportsPerSecond, reportsBurst),
		polls:    make(chan struct{}, pollsAtOnce),
		reports:  make(chan struct{}, reportsAtOnce),
	}
}

// isSandboxAPI tells the sandbox API from everything else that comes in origin
// form. The target is compared as it was sent, so there is one spelling.
func isSandboxAPI(r *http.Request) bool {
	return r.RequestURI == bundlePath || r.RequestURI == recordsPath
}

// serveSandboxAPI identifies the sandbox and serves its request.
func (g *Gateway) serveSandboxAPI(ex *exchange, cc *clientConn) {
	ex.input.Path = ex.r.RequestURI
	if ex.r.Header.Get("Upgrade") != "" {
		// After an upgrade the head scanner lets everything pass, and what follows here
		// would be read less strictly.
		ex.refuse(schemas.CodeBadRequest, "the sandbox API upgrades to nothing")
		return
	}
	box, code := g.identifyShim(cc, ex.r)
	ex.box = box
	switch {
	case code == schemas.CodeUnknownSandbox || code == schemas.CodeIdentityRequired:
		ex.setRefusal(code, refusalDetail(code))
		ex.deny(http.StatusUnauthorized)
		return
	case code != "":
		ex.refuse(code, refusalDetail(code))
		return
	}
	quota := g.tenants.of(box.ID).api
	switch serve := g.shimOperation(ex.r); {
	case serve == nil:
		apiFail(ex.w, http.StatusMethodNotAllowed, "method_not_allowed", "the bundle is read with GET, records are sent with POST")
	case !quota.requests.Allow():
		g.apiBusy(ex.w, "the sandbox asks the sandbox API more often than it may")
	default:
		serve(ex.w, ex.r, box, quota)
	}
}

type shimOperation func(w http.ResponseWriter, r *http.Request, box adminapi.Sandbox, q *apiQuota)

func (g *Gateway) shimOperation(r *http.Request) shimOperation {
	switch {
	case r.RequestURI == bundlePath && r.Method == http.MethodGet:
		return g.serveShimBundle
	case r.RequestURI == recordsPath && r.Method == http.MethodPost:
		return g.takeReports
	}
	return nil
}

// identifyShim is identify for requests that may bring a bearer token as well.
func (g *Gateway) identifyShim(cc *clientConn, r *http.Request) (adminapi.Sandbox, schemas.Code) {
	e := g.evidenceOf(cc)
	if fields := r.Header["Proxy-Authorization"]; len(fields) > 0 {
		id, token, ok := basic(fields)
		e.token(id, token, ok)
	}
	if fields := r.Header["Authorization"]; len(fields) > 0 {
		e.bearer(fields)
	}
	return e.settle(cc)
}

// takeReports keeps records of the shim in a log of their own: what a sandbox
// says of itself does not go into the gateway's.
func (g *Gateway) takeReports(w http.ResponseWriter, r *http.Request, box adminapi.Sandbox, q *apiQuota) {
	select {
	case q.reports <- struct{}{}:
		defer func() { <-q.reports }()
	default:
		g.apiBusy(w, "the sandbox sends more records at once than it may")
		return
	}
	body, ok := reportBody(w, r)
	if !ok {
		return
	}
	if !q.bytes.AllowN(time.Now(), len(body)) {
		g.apiBusy(w, "the sandbox sends more records than it may")
		return
	}
	records, err := reports.Parse(body, box, time.Now())
	if err != nil {
		apiFail(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	if err := g.received.Reported(g.base, records); err != nil {
		g.log.Error("reported records not kept", "sandbox", box.ID, "error", err)
		w.Header().Set("Retry-After", "5")
		apiFail(w, http.StatusServiceUnavailable, "audit_unavailable", "the records could not be written")
		return
	}
	g.metrics.reported(box, records)
	w.WriteHeader(http.StatusNoContent)
}

// reportBody reads the body; false means that it has answered.
func reportBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if r.Header.Get("Content-Encoding") != "" {
		apiFail(w, http.StatusUnsupportedMediaType, "bad_request", "records are sent without a content encoding")
		return nil, false
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(reportTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, reports.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		apiFail(w, http.StatusRequestEntityTooLarge, "too_large", "records of one request have at most "+strconv.Itoa(reports.MaxBody)+" bytes")
		return nil, false
	case err != nil:
		apiFail(w, http.StatusBadRequest, "bad_request", "the body did not come whole")
		return nil, false
	}
	_ = control.SetReadDeadline(time.Time{})
	return body, true
}

func (g *Gateway) apiBusy(w http.ResponseWriter, message string) {
	g.metrics.apiRefused.Inc()
	w.Header().Set("Retry-After", "1")
	apiFail(w, http.StatusTooManyRequests, string(schemas.CodeLimitExceeded), message)
}

// apiFail answers and ends the connection: what is left of a body is not read.
func apiFail(w http.ResponseWriter, status int, code, message string) {
	h := w.Header()
	h.Set("Content-Type", adminapi.TypeJSON)
	h.Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadFor))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "message": message}) // the client is gone
}
