package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// maxAdminBody bounds the body of an admin request.
const maxAdminBody = 16 << 20

func (g *Gateway) adminServer() *http.Server {
	mux := http.NewServeMux()
	handlers := g.operations()
	for _, r := range adminapi.Routes() {
		h, ok := handlers[r.Name]
		if !ok {
			h = unavailable
		}
		if !r.Open {
			h = g.authorised(h)
		}
		mux.Handle(r.Pattern(), h)
	}
	if g.cfg.Admin.Pprof {
		mux.Handle("GET /debug/pprof/", g.authorised(profiles()))
	}
	return &http.Server{
		Handler:           g.fromHere(http.MaxBytesHandler(mux, maxAdminBody)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          g.serverLog(),
	}
}

// operations is what serves each of adminapi.Routes.
func (g *Gateway) operations() map[string]http.Handler {
	handlers := map[string]http.Handler{
		"Metrics": promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}),
		"Bundle":  http.StripPrefix("/bundles", &g.bundles),
		"Upload":  g.received,
	}
	for name, fn := range map[string]http.HandlerFunc{
		"Healthy":      func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") },
		"Readiness":    g.getReady,
		"OpenAPI":      getOpenAPI,
		"Sandboxes":    g.listSandboxes,
		"Create":       g.createSandbox,
		"Get":          g.getSandbox,
		"End":          g.endSandbox,
		"SetPolicy":    g.setPolicy,
		"Report":       g.takeUsage,
		"RotateToken":  g.rotateToken,
		"Policies":     g.listPolicies,
		"Policy":       g.getPolicy,
		"Apply":        g.applyPolicy,
		"DeletePolicy": g.deletePolicy,
		"Decide":       g.decideDry,
		"Records":      g.getRecords,
		"Stream":       g.streamRecords,
	} {
		handlers[name] = fn
	}
	maps.DeleteFunc(handlers, func(_ string, h http.Handler) bool { return h == nil })
	return handlers
}

// unavailable answers for what this gateway was not given the means to do.
var unavailable = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	adminFail(w, http.StatusNotImplemented, "not_available", "this gateway does not serve "+r.URL.Path)
})

// profiles serves net/http/pprof without its registration in the default mux.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", adminapi.TypeJSON)
	_, _ = w.Write(adminapi.OpenAPI()) // the client is gone
}

func (g *Gateway) getReady(w http.ResponseWriter, _ *http.Request) {
	r := g.Ready()
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	adminAnswer(w, status, r)
}

func adminAnswer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

func adminFail(w http.ResponseWriter, status int, code, message string) {
	adminAnswer(w, status, adminapi.Error{Code: code, Message: message})
}

// adminError answers with the status that the error stands for.
func adminError(w http.ResponseWriter, err error) {
	var e *adminapi.Error
	switch {
	case errors.As(err, &e):
		status := e.Status
		if status == 0 {
			status = http.StatusUnprocessableEntity
		}
		adminAnswer(w, status, e)
	case errors.Is(err, sandboxes.ErrNotFound):
		adminFail(w, http.StatusNotFound, "not_found", err.Error())
	case errors.Is(err, sandboxes.ErrAmbiguous):
		adminFail(w, http.StatusConflict, "ambiguous", err.Error())
	case errors.Is(err, sandboxes.ErrEnded):
		adminFail(w, http.StatusConflict, "ended", err.Error())
	default:
		adminFail(w, http.StatusInternalServerError, "failed", err.Error())
	}
}

// adminBody decodes a JSON body strictly; false means that it has answered.
func adminBody(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		adminFail(w, http.StatusBadRequest, "bad_request", "body: "+err.Error())
		return false
	}
	return true
}
