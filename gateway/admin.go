package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/openshell-policy/openshell/gateway/sandboxes"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// maxAdminBody bounds the body of an admin request.
const maxAdminBody = 16 << 20

func (g *Gateway) adminServer() *http.Server {
	mux := http.NewServeMux()
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, h) }
	token := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, g.withToken(h)) }
	open("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	open("GET /readyz", g.getReady)
	token("GET /metrics", promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP)
	token("GET /v1/sandboxes", g.listSandboxes)
	token("POST /v1/sandboxes", g.createSandbox)
	token("GET /v1/sandboxes/{id}", g.getSandbox)
	token("DELETE /v1/sandboxes/{id}", g.endSandbox)
	token("PUT /v1/sandboxes/{id}/policy", g.setPolicy)
	token("GET /v1/policies", g.listPolicies)
	token("GET /v1/policies/{name}", g.getPolicy)
	token("PUT /v1/policies", g.applyPolicy)
	token("POST /v1/decide", g.decideDry)
	return &http.Server{
		Handler:           fromHere(http.MaxBytesHandler(mux, maxAdminBody)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          g.serverLog(),
	}
}

// fromHere refuses what a browser could be made to send: a request for another
// host name (DNS rebinding) and one with an Origin.
func fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "":
			adminFail(w, http.StatusForbidden, "forbidden", "requests with an Origin are refused")
		case !isLocalName(r.Host):
			adminFail(w, http.StatusMisdirectedRequest, "misdirected", "Host is not a name of this listener")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isLocalName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

func (g *Gateway) withToken(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + g.adminToken))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="openshell"`)
			adminFail(w, http.StatusUnauthorized, "unauthorized", "a bearer token is required; it is in "+g.cfg.AdminTokenFile())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loadToken reads the admin token, or makes one that only this user can read.
func loadToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		info, err := os.Stat(path)
		if err != nil {
			return "", fmt.Errorf("admin token: %w", err)
		}
		token := strings.TrimSpace(string(data))
		if info.Mode().Perm()&0o077 != 0 || len(token) < 32 {
			return "", fmt.Errorf("admin token %q is readable by others or too short: remove it, and a new one is made", path)
		}
		return token, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("admin token: %w", err)
	}
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	token := base64.RawURLEncoding.EncodeToString(b[:])
	if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("admin token: %w", err)
	}
	return token, nil
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
