package gateway_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// corporate is an upstream proxy that notes what it is asked for.
type corporate struct {
	addr    string
	mu      sync.Mutex
	asked   []string // authority and credentials
	status  int      // 0: 200
	garbage string   // instead of an answer
	resolve func(authority string) string
}

func newCorporate(t *testing.T, secure *tls.Config) *corporate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	t.Cleanup(func() { l.Close() })
	p := &corporate{addr: l.Addr().String(), resolve: func(a string) string { return a }}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *corporate) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization")))
	status, garbage := p.status, p.garbage
	p.mu.Unlock()
	switch {
	case garbage != "":
		_, _ = io.WriteString(c, garbage)
		return
	case status != 0:
		fmt.Fprintf(c, "HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n", status)
		return
	}
	up, err := net.Dial("tcp", p.resolve(r.RequestURI))
	if err != nil {
		return
	}
	defer up.Close()
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
	go func() { _, _ = io.Copy(up, br); up.Close() }()
	_, _ = io.Copy(c, up)
}

func (p *corporate) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func through(p *corporate, edit func(*gateway.UpstreamProxy)) option {
	return func(c *gateway.Config, _ *gateway.Deps) {
		c.UpstreamProxy.URL = "http://" + p.addr
		if edit != nil {
			edit(&c.UpstreamProxy)
		}
	}
}

func TestUpstreamProxy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte("me:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newCorporate(t, nil)
	w := newWorld(t, through(p, func(u *gateway.UpstreamProxy) { u.CredentialsFile = file }))
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Fatal(resp.Status, body)
	}
	authority := fmt.Sprint("api.test:", w.plain.port)
	if resp, _ := exchange(t, w.dial(), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+auth(w.box)+"\r\n"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	c := w.dial()
	w.connect(c, fmt.Sprint("pass.test:", w.origin.port))
	tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
	if resp, _ := exchange(t, tc, "GET", "GET /x HTTP/1.1\r\nHost: pass.test\r\n\r\n"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	const credentials = " Basic bWU6c2VjcmV0"
	want := []string{ // the addresses that the guard checked, never the names
		fmt.Sprintf("CONNECT 127.0.0.1:%d%s", w.origin.port, credentials),
		fmt.Sprintf("CONNECT 127.0.0.1:%d%s", w.plain.port, credentials),
		fmt.Sprintf("CONNECT 127.0.0.1:%d%s", w.origin.port, credentials),
	}
	if got := p.requests(); !slices.Equal(got, want) {
		t.Errorf("the parent was asked for %q, want %q", got, want)
	}
	for _, o := range []*origin{w.origin, w.plain} {
		if h := o.last(t).Header; h.Get("Proxy-Authorization") != "" {
			t.Error("the origin saw the parent's credentials")
		}
	}
}

func TestUpstreamProxyIsNotAskedForWhatTheGuardRefuses(t *testing.T) {
	p := newCorporate(t, nil)
	w := newWorld(t, through(p, nil))
	authority := fmt.Sprint("private.test:", w.origin.port)
	resp, body := exchange(t, w.tunnel(authority, "private.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodePrivateAddress)
	if got := p.requests(); len(got) != 0 {
		t.Errorf("the parent was asked for %q", got)
	}
}

func TestUpstreamProxyResolves(t *testing.T) {
	p := newCorporate(t, nil)
	w := newWorld(t, through(p, func(u *gateway.UpstreamProxy) { u.ParentResolves = true }))
	p.resolve = func(string) string { return w.origin.Listener.Addr().String() }
	if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if got := p.requests(); !slices.Equal(got, []string{"CONNECT " + w.api()}) {
		t.Errorf("the parent was asked for %q", got)
	}
	w.load(w.policies.change("selfhost", func(r *testRule) { r.host, r.port = "169.254.169.254", 80 }))
	resp, body := exchange(t, w.dial(), "GET", "GET http://169.254.169.254/x HTTP/1.1\r\nHost: 169.254.169.254\r\n"+auth(w.box)+"\r\n")
	if resp.StatusCode != 403 || !strings.Contains(body, "private_address") {
		t.Errorf("an address is checked all the same: %s %s", resp.Status, body)
	}
}

func TestUpstreamProxyIsBypassed(t *testing.T) {
	for _, no := range []string{"api.test", ".test", "*"} {
		p := newCorporate(t, nil)
		w := newWorld(t, through(p, func(u *gateway.UpstreamProxy) { u.NoProxy = []string{"other.test", no} }))
		if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
		if got := p.requests(); len(got) != 0 {
			t.Errorf("%s: the parent was asked for %q", no, got)
		}
	}
}

func TestUpstreamProxyOverTLS(t *testing.T) {
	cert, roots := testCert(t)
	p := newCorporate(t, &tls.Config{Certificates: []tls.Certificate{*cert}})
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
		c.UpstreamProxy.URL = "https://" + strings.Replace(p.addr, "127.0.0.1", "localhost", 1)
		both, _ := os.ReadFile(c.UpstreamRoots)
		more, _ := os.ReadFile(roots)
		c.UpstreamRoots = filepath.Join(t.TempDir(), "both.pem")
		if err := os.WriteFile(c.UpstreamRoots, append(both, more...), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
}

func TestUpstreamProxyFails(t *testing.T) {
	for name, set := range map[string]func(*corporate){
		"refuses":  func(p *corporate) { p.status = 407 },
		"garbage":  func(p *corporate) { p.garbage = "SSH-2.0-x\r\n" },
		"redirect": func(p *corporate) { p.status = 302 },
		"endless":  func(p *corporate) { p.garbage = "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newCorporate(t, nil)
			set(p)
			w := newWorld(t, through(p, nil))
			resp, body := w.inTunnel("GET", w.get("/x"))
			if resp.StatusCode != 502 || !strings.Contains(body, "upstream_error") {
				t.Errorf("%s %s", resp.Status, body)
			}
			w.oneRecord(schemas.CodeAllowed)
		})
	}
}

func TestUpstreamProxyConfiguration(t *testing.T) {
	for name, u := range map[string]gateway.UpstreamProxy{
		"credentials in the URL": {URL: "http://me:secret@proxy:3128"}, "scheme": {URL: "socks5://proxy:1080"}, "path": {URL: "http://proxy/x"},
		"both":    {URL: "http://proxy:3128", CredentialsFile: "a", CredentialsEnv: "B"},
		"no file": {URL: "http://proxy:3128", CredentialsFile: "/nonexistent"}, "no variable": {URL: "http://proxy:3128", CredentialsEnv: "OPENSHELL_TEST_UNSET"},
	} {
		cfg := gateway.DefaultConfig()
		cfg.StateDir, cfg.Listen.Proxy, cfg.Listen.Admin, cfg.UpstreamProxy = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0", u
		g, err := gateway.New(cfg, gateway.Deps{Compile: nothing(t), Audit: &memory{}})
		if err == nil {
			g.Close()
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error tells the password: %v", name, err)
		}
	}
}
