package gateway_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// http2Tunnel opens a tunnel in which the client speaks HTTP/2.
func http2Tunnel(t *testing.T, w *world, authority, sni string) http.RoundTripper {
	t.Helper()
	tr := &http.Transport{
		ForceAttemptHTTP2: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			c := w.dial()
			w.connect(c, authority)
			tc := tls.Client(c, &tls.Config{ServerName: sni, RootCAs: w.roots, NextProtos: []string{"h2"}})
			return tc, tc.Handshake()
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func roundTrip2(t *testing.T, cc http.RoundTripper, method, url string, edit func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(req)
	}
	resp, err := cc.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestHTTP2(t *testing.T) {
	w := newWorld(t)
	cc := http2Tunnel(t, w, w.api(), "api.test")
	if resp, body := roundTrip2(t, cc, "GET", "https://"+w.api()+"/x?q=1", nil); resp.StatusCode != 200 || body != "GET /x?q=1 0" || resp.ProtoMajor != 2 {
		t.Errorf("%s %s %q", resp.Proto, resp.Status, body)
	}
	if resp, body := roundTrip2(t, cc, "GET", "https://"+w.api()+"/none", nil); resp.StatusCode != 403 || !strings.Contains(body, "path_not_allowed") {
		t.Errorf("%s %q", resp.Status, body)
	}
	if resp, _ := roundTrip2(t, cc, "GET", "https://"+w.api()+"/x", nil); resp.StatusCode != 200 {
		t.Errorf("after a denial: %s", resp.Status)
	}
	if n := len(w.records.decisions()); n != 3 {
		t.Errorf("%d records", n)
	}
}

func TestA08_Coalescing(t *testing.T) {
	w := newWorld(t)
	cc := http2Tunnel(t, w, w.api(), "api.test")
	resp, body := roundTrip2(t, cc, "GET", "https://"+w.api()+"/x", func(r *http.Request) { r.Host = "evil.test" })
	w.denied(resp, body, 421, schemas.CodeAuthorityMismatch)
	if resp, _ := roundTrip2(t, cc, "GET", "https://"+w.api()+"/x", nil); resp.StatusCode != 200 {
		t.Errorf("the next stream: %s", resp.Status)
	}
}

func TestHTTP2Strictness(t *testing.T) {
	for name, tt := range map[string]struct {
		edit   func(*http.Request)
		status int
	}{
		"E01_LowerCase": {func(r *http.Request) { r.Method = "get" }, 501},
		"E04_Trace":     {func(r *http.Request) { r.Method = "TRACE" }, 405},
		"XOriginalURL":  {func(r *http.Request) { r.Header.Set("X-Original-URL", "/admin") }, 400},
		"D16_LongPath":  {func(r *http.Request) { r.URL.Path = "/" + strings.Repeat("a", 5000) }, 414},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			cc := http2Tunnel(t, w, w.api(), "api.test")
			resp, body := roundTrip2(t, cc, "GET", "https://"+w.api()+"/x", tt.edit)
			w.denied(resp, body, tt.status, schemas.CodeBadRequest)
		})
	}
}

func TestHTTP2UnlistedHost(t *testing.T) {
	w := newWorld(t)
	cc := http2Tunnel(t, w, "pypi.org:443", "pypi.org")
	resp, body := roundTrip2(t, cc, "GET", "https://pypi.org/simple", nil)
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
}

func TestHTTP2Trailers(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "Grpc-Status")
		io.WriteString(rw, "message")
		rw.Header().Set("Grpc-Status", "0")
	})
	cc := http2Tunnel(t, w, w.api(), "api.test")
	req, _ := http.NewRequest("POST", "https://"+w.api()+"/x", strings.NewReader("body"))
	resp, err := cc.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if got := resp.Trailer.Get("Grpc-Status"); got != "0" {
		t.Errorf("trailer %q", got)
	}
}
