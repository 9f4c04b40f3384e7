package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// fromHere refuses what a browser could be made to send: a request for another
// host name (DNS rebinding) and one with an Origin.
func (g *Gateway) fromHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Origin") != "":
			adminFail(w, http.StatusForbidden, "forbidden", "requests with an Origin are refused")
		case !isLocalName(r.Host, g.cfg.Admin.Names):
			adminFail(w, http.StatusMisdirectedRequest, "misdirected", "Host is not a name of this listener; admin.names lists them")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func isLocalName(host string, names []string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	named := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, host) })
	return named || strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// authorised lets only those pass that hold the token, or a certificate that
// admin.tls.client_ca signed.
func (g *Gateway) authorised(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + g.adminToken))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 && certified(r) == "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="openshell"`)
			adminFail(w, http.StatusUnauthorized, "unauthorized", "a bearer token is required; it is in "+g.cfg.AdminTokenFile())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// certified is the subject of the client's verified certificate, or "".
func certified(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return "certificate " + r.TLS.PeerCertificates[0].Subject.String()
}

// actor says who makes a request.
func actor(r *http.Request) string {
	if subject := certified(r); subject != "" && r.Header.Get("Authorization") == "" {
		return subject
	}
	return "token"
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
