package gateway_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// What one sandbox may hold and do, and that another does not pay for it.

func limits(edit func(*gateway.Limits)) option {
	return func(c *gateway.Config, _ *gateway.Deps) { edit(&c.Limits) }
}

// second makes another sandbox under the same policy.
func (w *world) second() adminapi.CreatedSandbox {
	w.tb.Helper()
	box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p"})
	if err != nil {
		w.tb.Fatal(err)
	}
	return box
}

func (w *world) as(box adminapi.CreatedSandbox, fn func()) {
	before := w.box
	w.box = box
	fn()
	w.box = before
}

func TestF24_TunnelsPerSandbox(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.TunnelsPerSandbox = 1 }))
	first := w.tunnel(w.api(), "api.test")
	resp, _ := w.connect(w.dial(), w.api())
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Error(resp.Status)
	}
	w.oneRecord(schemas.CodeLimitExceeded)
	authority := fmt.Sprint("api.test:", w.plain.port)
	if resp, _ := exchange(t, w.dial(), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+auth(w.box)+"\r\n"); resp.StatusCode != 200 {
		t.Errorf("a request outside of tunnels: %s", resp.Status)
	}
	w.as(w.second(), func() { w.tunnel(w.api(), "api.test") })
	first.Close()
	w.wait(func() bool {
		c := w.dial()
		resp, _ := w.connect(c, w.api())
		c.Close()
		return resp.StatusCode == 200
	})
}

func TestRequestRate(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.RequestsPerSecond, l.RequestBurst = 1, 3 }))
	tc := w.tunnel(w.api(), "api.test") // the CONNECT is one
	for range 2 {
		if resp, body := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
			t.Fatal(resp.Status, body)
		}
	}
	resp, body := exchange(t, tc, "GET", w.get("/x"))
	if resp.StatusCode != 429 || !strings.Contains(body, "limit_exceeded") || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", resp.Status, body)
	}
	if n := w.origin.requests.Load(); n != 2 {
		t.Errorf("%d requests reached the origin", n)
	}
	w.as(w.second(), func() {
		if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
			t.Errorf("another sandbox: %s", resp.Status)
		}
	})
}

func TestByteRate(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.BytesPerSecond = 256 << 10 }))
	body := bytes.Repeat([]byte("x"), 256<<10)
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = rw.Write(body)
	})
	for name, do := range map[string]func(){
		"down": func() { w.inTunnel("GET", w.get("/x")) },
		"up": func() {
			w.inTunnel("POST", fmt.Sprintf("POST /x HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", w.api(), len(body), body))
		},
	} {
		begun := time.Now()
		do()
		if d := time.Since(begun); d < 300*time.Millisecond {
			t.Errorf("%s: 256 KiB passed in %v at 256 KiB a second", name, d)
		}
	}
}

func TestHandshakesAtOnce(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.HandshakesPerSandbox, l.HandshakeTimeout = 1, 3*time.Second }))
	stuck := w.dial()
	w.connect(stuck, w.api())
	hello := clientHello(t, "api.test")
	if _, err := stuck.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stuck, make([]byte, 5)); err != nil { // the server's flight: it waits for ours
		t.Fatal(err)
	}
	w.as(w.second(), func() {
		if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
			t.Errorf("another sandbox: %s", resp.Status)
		}
	})
	stuck.Close()
	if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("once the first handshake ended: %s", resp.Status)
	}
}

func TestTokensRotate(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	old := w.box
	fresh, err := w.g.RotateToken(old.ID, 0)
	if err != nil || fresh.ID != old.ID || fresh.Token == old.Token {
		t.Fatal(fresh, err)
	}
	if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("the tunnel that was open: %s", resp.Status)
	}
	if resp, _ := w.connect(w.dial(), w.api()); resp.StatusCode != 407 {
		t.Errorf("the old token: %s", resp.Status)
	}
	w.as(fresh, func() {
		if resp, _ := w.connect(w.dial(), w.api()); resp.StatusCode != 200 {
			t.Errorf("the new token: %s", resp.Status)
		}
	})
}

// clientHello is the first flight of a client.
func clientHello(tb testing.TB, name string) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
		client.Close()
	}()
	buf := make([]byte, 16<<10)
	n, err := server.Read(buf)
	if err != nil {
		tb.Fatal(err)
	}
	return buf[:n]
}
