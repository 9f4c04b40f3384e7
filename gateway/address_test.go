package gateway_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Group B: addresses. Package guard's tests hold the classes.

func TestB09_NameWithAPrivateAddress(t *testing.T) {
	for name, host := range map[string]string{"private": "private.test", "metadata": "metadata.test"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			authority := host + ":" + strconv.Itoa(w.origin.port)
			resp, body := exchange(t, w.tunnel(authority, host), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
			w.denied(resp, body, 403, schemas.CodePrivateAddress)
			if r := w.records.decisions()[0]; r.Custom.Rule != name || r.Result.Source == nil {
				t.Errorf("recorded rule %q, source %v", r.Custom.Rule, r.Result.Source)
			}
		})
	}
}

func TestPrivateAddressByConsentOfTheRule(t *testing.T) {
	w := newWorld(t)
	// Nothing answers at 10.9.8.7, but the guard lets the dial go out: the answer
	// is about the upstream, not about the address.
	w.load(w.policies.change("private", func(r *testRule) { r.more += ", allow_private: [10.9.0.0/16]" }))
	authority := "private.test:" + strconv.Itoa(w.origin.port)
	tc := w.tunnel(authority, "private.test")
	if _, err := tc.Write([]byte("GET /x HTTP/1.1\r\nHost: " + authority + "\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	tc.Close() // without waiting for a dial that may hang
	w.oneRecord(schemas.CodeAllowed)
}

func TestB14_TheGatewayItself(t *testing.T) {
	for _, name := range []string{"proxy", "B15_admin"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			addr := w.g.ProxyAddr()
			if name == "B15_admin" {
				addr = w.g.AdminAddr()
			}
			_, port, _ := net.SplitHostPort(addr)
			n, _ := strconv.Atoi(port)
			w.load(w.policies.change("selfhost", func(r *testRule) { r.port = n }))
			resp, body := exchange(t, w.dial(), "GET", "GET http://"+addr+"/metrics HTTP/1.1\r\nHost: "+addr+"\r\n"+auth(w.box)+"\r\n")
			w.denied(resp, body, 403, schemas.CodePrivateAddress)
			if !strings.Contains(body, "the gateway itself") {
				t.Error(body)
			}
		})
	}
}

func TestB18_RedirectIsPassedOn(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(redirectToMetadata)
	resp, _ := w.inTunnel("GET", w.get("/x"))
	if resp.StatusCode != 302 || resp.Header.Get("Location") != "http://169.254.169.254/" {
		t.Errorf("%s %s", resp.Status, resp.Header.Get("Location"))
	}
}

func TestB20_DeniedNamesAreNotResolved(t *testing.T) {
	w := newWorld(t)
	// A name that no server knows: a look-up would take time and change the code.
	resp, body := exchange(t, w.tunnel("secret.evil.invalid:443", "secret.evil.invalid"), "GET", "GET / HTTP/1.1\r\nHost: secret.evil.invalid\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
}

func TestLoopbackNeedsTheFlag(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.AllowLoopback = false })
	resp, body := w.inTunnel("GET", w.get("/x"))
	w.denied(resp, body, 403, schemas.CodePrivateAddress)
}

func TestUnreachableUpstream(t *testing.T) {
	w := newWorld(t)
	w.origin.Close()
	resp, body := w.inTunnel("GET", w.get("/x"))
	if resp.StatusCode != 502 || !strings.Contains(body, `"upstream_error"`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	w.oneRecord(schemas.CodeAllowed)
	w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
	if o := w.records.of(schemas.RecordOutcome)[0].Custom.Outcome; o.Error == "" || o.Status != 0 {
		t.Errorf("outcome %+v", o)
	}
}

func TestCompileIsAsked(t *testing.T) {
	_, err := gateway.New(gateway.DefaultConfig(), gateway.Deps{})
	if err == nil {
		t.Error("a gateway without a compiler started")
	}
	cfg := gateway.DefaultConfig()
	cfg.StateDir = t.TempDir()
	_, err = gateway.New(cfg, gateway.Deps{
		Compile: func(context.Context) ([]byte, []string, error) { return []byte("bad"), nil, nil },
	})
	if err == nil {
		t.Error("a gateway with a bad policy started")
	}
}

// A way back to the gateway that its guard cannot see, through something that
// relays, ends at the second pass: credentials are not sent on.
func TestB14_LoopThroughARelay(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				up, err := net.Dial("tcp", w.g.ProxyAddr())
				if err != nil {
					return
				}
				defer up.Close()
				go func() { _, _ = io.Copy(up, c) }()
				_, _ = io.Copy(c, up)
			}()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	w.load(w.policies.with(testRule{"relay", "ws.test", "http", port, ""}))
	authority := fmt.Sprint("ws.test:", port)
	resp, _ := exchange(t, w.dial(), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+auth(w.box)+"\r\n")
	if resp.StatusCode < 400 || resp.Header.Get("Proxy-Authenticate") != "" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if got := codes(w.records.decisions()); len(got) != 2 {
		t.Errorf("passes: %q", got)
	}
	w.untouched()
}
