package gateway_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Group G: TLS on both sides, and real clients.

func TestG01_UpstreamCertificateIsVerified(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.UpstreamRoots = "" })
	resp, body := w.inTunnel("GET", w.get("/x"))
	if resp.StatusCode != 502 || !strings.Contains(body, "certificate") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if n := w.origin.requests.Load(); n != 0 {
		t.Errorf("%d requests reached the origin", n)
	}
}

func TestG02_UpstreamSpeaksNoTLS(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "220 smtp.test\r\n")
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	w.load(w.policies.change("outbound[0]", func(r *testRule) { r.port = port }))
	authority := "api.test:" + strconv.Itoa(port)
	resp, _ := exchange(t, w.tunnel(authority, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	if resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
}

func TestG03_UpstreamHTTP2(t *testing.T) {
	cert, roots := testCert(t)
	srv := newHTTP2Origin(t, cert)
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.UpstreamRoots = roots })
	w.load(w.policies.change("outbound[0]", func(r *testRule) { r.port = srv.port }))
	authority := "api.test:" + strconv.Itoa(srv.port)
	resp, body := exchange(t, w.tunnel(authority, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	if resp.StatusCode != 200 || body != "GET /x 0" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if p := srv.last(t).Proto; p != "HTTP/2.0" {
		t.Errorf("the origin saw %s", p)
	}
}

func TestG09_SessionResumption(t *testing.T) {
	w := newWorld(t)
	cfg := &tls.Config{ServerName: "api.test", RootCAs: w.roots, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for i := range 2 {
		c := w.dial()
		w.connect(c, w.api())
		tc := tls.Client(c, cfg)
		exchange(t, tc, "GET", w.get("/x")) // reads the ticket
		if got := tc.ConnectionState().DidResume; got != (i == 1) {
			t.Errorf("connection %d resumed: %v", i+1, got)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, w.api())
	if err := tls.Client(c, &tls.Config{ServerName: "api.test", RootCAs: w.roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}).Handshake(); err == nil {
		t.Error("TLS 1.1 was taken")
	}
}

// TestMintRate holds that a sandbox cannot make the gateway mint without end.
func TestMintRate(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.NewNamesPerMinute = 2 })
	refused := 0
	for i := range 4 {
		c := w.dial()
		name := fmt.Sprintf("n%d.invalid", i)
		w.connect(c, name+":443")
		if err := tls.Client(c, &tls.Config{ServerName: name, RootCAs: w.roots}).Handshake(); err != nil {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of 4 refused, want 2", refused)
	}
	w.tunnel(w.api(), "api.test") // a listed host is not bound by it
}

func TestGoClient(t *testing.T) {
	w := newWorld(t)
	client := proxyClient(w)
	for _, path := range []string{"/x/1", "/x/2"} {
		resp, err := client.Get("https://" + w.api() + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "GET "+path+" 0" {
			t.Errorf("%q", body)
		}
	}
}

func proxyClient(w *world) *http.Client {
	proxy, err := url.Parse(w.box.ProxyURL())
	if err != nil {
		w.tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(w.box.CAPEM))
	tr := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	w.tb.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// TestCurl runs the real curl: an allowed request, a denied one, a host that no
// rule names and an upload that waits for 100 Continue.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		if os.Getenv("OPENSHELL_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip("curl is not installed")
	}
	w := newWorld(t)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(curl, append([]string{"-sS", "--max-time", "10", "--cacert", w.box.CAFile, "-w", " %{http_code}"}, args...)...)
		cmd.Env = append(os.Environ(), "HTTPS_PROXY="+w.box.ProxyURL(), "https_proxy="+w.box.ProxyURL(), "http_proxy="+w.box.ProxyURL(), "NO_PROXY=", "no_proxy=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("curl %q: %v: %s", args, err, out)
		}
		return string(out)
	}
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	base, plain := "https://"+w.api(), fmt.Sprint("http://api.test:", w.plain.port)
	tests := []struct {
		want string
		args []string
	}{
		{"GET /x 0 200", []string{base + "/x"}},
		{"POST /x 2097152 200", []string{"-H", "Expect: 100-continue", "--data-binary", "@" + upload, base + "/x"}},
		{`"code":"method_not_allowed"`, []string{"-X", "DELETE", base + "/x"}},
		{`"code":"host_not_in_policy"`, []string{"https://pypi.org/simple/requests"}},
		{"GET /x 0 200", []string{plain + "/x"}},
		{"GET /x 0 200", []string{"-p", plain + "/x"}},
		{`"code":"host_not_in_policy"`, []string{"http://pypi.org/simple/requests"}},
	}
	for _, tt := range tests {
		if got := run(tt.args...); !strings.Contains(got, tt.want) {
			t.Errorf("curl %q: %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestIPLiteralIsItsOwnConsent(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.Resolve["lit.test"] = []netip.Addr{netip.MustParseAddr("10.9.8.6")}
	})
	c := w.dial()
	io.WriteString(c, "GET http://10.9.8.6/x HTTP/1.1\r\nHost: 10.9.8.6\r\n"+auth(w.box)+"\r\n")
	c.Close() // nothing answers there; the record tells that the guard let it go out
	w.oneRecord(schemas.CodeAllowed)
}

// newHTTP2Origin is an origin that speaks HTTP/2.
func newHTTP2Origin(t *testing.T, cert *tls.Certificate) *origin {
	t.Helper()
	o := newUnstartedOrigin(cert)
	o.EnableHTTP2 = true
	o.StartTLS()
	t.Cleanup(o.Close)
	o.port = o.Listener.Addr().(*net.TCPAddr).Port
	return o
}
