package gateway_test

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Group C: ports and protocols inside the tunnel.

func redirectToMetadata(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
}

func TestC02_ConnectToSMTP(t *testing.T) {
	for _, port := range []string{"25", "465", "587"} {
		t.Run(port, func(t *testing.T) {
			w := newWorld(t)
			resp, _ := w.connect(w.dial(), "api.test:"+port)
			if resp.StatusCode != 403 {
				t.Error(resp.Status)
			}
			w.oneRecord(schemas.CodePortNotAllowed)
			w.untouched()
		})
	}
}

func TestC03_OtherBytesOn443(t *testing.T) {
	for name, bytes := range map[string]string{"ssh": "SSH-2.0-x\r\n", "C05_http": "GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", "zero": "\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.load(w.policies.change("outbound[0]", func(r *testRule) { r.port = 443 }))
			c := w.dial()
			w.connect(c, "api.test:443")
			io.WriteString(c, bytes)
			if got, _ := io.ReadAll(c); len(got) != 0 {
				t.Errorf("answered %q", got)
			}
			w.oneRecord(schemas.CodeBadRequest)
			w.untouched()
		})
	}
}

func TestC05_ClearHTTPWhereARuleSaysHTTPS(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, w.api())
	resp, body := exchange(t, c, "GET", w.get("/x"))
	w.denied(resp, body, 403, schemas.CodeSchemeNotAllowed)
}

func TestConnectToAClearPort(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	authority := "api.test:" + strconv.Itoa(w.plain.port)
	w.connect(c, authority)
	resp, body := exchange(t, c, "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	if resp.StatusCode != 200 || body != "GET /x 0" {
		t.Errorf("%s %q", resp.Status, body)
	}
	if r := w.oneRecord(schemas.CodeAllowed); r.Input.Network.Scheme != "http" {
		t.Errorf("decided as %s", r.Input.Network.Scheme)
	}
}

func TestC06_TLSOnAClearPort(t *testing.T) {
	w := newWorld(t)
	authority := "api.test:" + strconv.Itoa(w.plain.port)
	resp, body := exchange(t, w.tunnel(authority, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeSchemeNotAllowed)
}

func TestC08_H2CUpgradeIsStripped(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	for _, name := range []string{"Upgrade", "Http2-Settings", "Connection"} {
		if v := w.origin.last(t).Header.Get(name); v != "" {
			t.Errorf("the origin saw %s: %s", name, v)
		}
	}
}

func TestC09_UnsolicitedUpgrade(t *testing.T) {
	for _, protocol := range []string{"h2c", "websocket"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
				c, _, _ := rw.(http.Hijacker).Hijack()
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+protocol+"\r\n\r\nraw")
				c.Close()
			})
			resp, body := w.inTunnel("GET", w.get("/x"))
			if resp.StatusCode != 502 || strings.Contains(body, "raw") {
				t.Errorf("%s %s", resp.Status, body)
			}
		})
	}
}

const wsKey = "dGhlIHNhbXBsZSBub25jZQ=="

func upgrade(authority string) string {
	return "GET /chat HTTP/1.1\r\nHost: " + authority + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + wsKey + "\r\n\r\n"
}

func TestC11_WebSocketWithoutPermission(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("GET", strings.Replace(upgrade(w.api()), "/chat", "/x", 1))
	w.denied(resp, body, 403, schemas.CodeWebSocketNotAllowed)
}

func TestC12_MalformedUpgrade(t *testing.T) {
	for name, edit := range map[string][2]string{
		"POST": {"GET /chat", "POST /chat"}, "no key": {"Sec-WebSocket-Key: " + wsKey + "\r\n", ""},
		"version 12": {"Version: 13", "Version: 12"}, "short key": {wsKey, "c2hvcnQ="}, "no Connection": {"Connection: Upgrade\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			authority := "ws.test:" + strconv.Itoa(w.origin.port)
			resp, body := exchange(t, w.tunnel(authority, "ws.test"), "GET", strings.Replace(upgrade(authority), edit[0], edit[1], 1))
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

// echoWebSocket answers an upgrade and sends back what it gets.
func echoWebSocket(rw http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c, buf, _ := rw.(http.Hijacker).Hijack()
	defer c.Close()
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	io.Copy(c, buf)
}

// openWebSocket upgrades and expects the bytes that it sends with the handshake
// back.
func openWebSocket(t *testing.T, w *world) (net.Conn, *bufio.Reader) {
	t.Helper()
	w.origin.handle(echoWebSocket)
	authority := "ws.test:" + strconv.Itoa(w.origin.port)
	tc := w.tunnel(authority, "ws.test")
	io.WriteString(tc, upgrade(authority)+"\x81\x85first")
	br := bufio.NewReader(tc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	expectBytes(t, br, "\x81\x85first")
	return tc, br
}

func expectBytes(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestC14_FirstFrameWithTheHandshake(t *testing.T) {
	w := newWorld(t)
	tc, br := openWebSocket(t, w)
	io.WriteString(tc, "\x00\xffsecond\n\nGET / x")
	expectBytes(t, br, "\x00\xffsecond\n\nGET / x")
	w.oneRecord(schemas.CodeAllowed)
	tc.Close()
	w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
}

func TestWebSocketIsClosedWhenItsRuleGoes(t *testing.T) {
	w := newWorld(t)
	_, br := openWebSocket(t, w)
	w.load(w.policies.without("ws"))
	if _, err := br.ReadByte(); err == nil {
		t.Error("the WebSocket is still open")
	}
}

func TestC15_HelloTogetherWithConnect(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		c := w.dial()
		tc := tls.Client(&prefixed{Conn: c, first: "CONNECT " + w.api() + " HTTP/1.1\r\nHost: " + w.api() + "\r\n" + auth(w.box) + "\r\n"},
			&tls.Config{ServerName: "api.test", RootCAs: w.roots})
		if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
	}
}

// prefixed sends the CONNECT in one write with the first bytes, and takes the
// proxy's answer away.
type prefixed struct {
	net.Conn
	first    string
	answered bool
}

func (p *prefixed) Write(b []byte) (int, error) {
	if p.first == "" {
		return p.Conn.Write(b)
	}
	_, err := p.Conn.Write(append([]byte(p.first), b...))
	p.first = ""
	return len(b), err
}

func (p *prefixed) Read(b []byte) (int, error) {
	for tail := ""; !p.answered; {
		var one [1]byte
		if _, err := p.Conn.Read(one[:]); err != nil {
			return 0, err
		}
		tail += string(one[:])
		p.answered = strings.HasSuffix(tail, "\r\n\r\n")
	}
	return p.Conn.Read(b)
}

func TestC17_ConnectInsideATunnel(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("GET", "CONNECT "+w.api()+" HTTP/1.1\r\nHost: "+w.api()+"\r\n\r\n")
	w.denied(resp, body, 405, schemas.CodeBadRequest)
}

func TestC18_ConnectWithABody(t *testing.T) {
	w := newWorld(t)
	resp, body := exchange(t, w.dial(), "GET", "CONNECT "+w.api()+" HTTP/1.1\r\nHost: "+w.api()+"\r\n"+auth(w.box)+"Content-Length: 5\r\n\r\nhello")
	w.denied(resp, body, 400, schemas.CodeBadRequest)
}

func TestC20_OtherProtocolsOnTheListener(t *testing.T) {
	for name, bytes := range map[string]string{"socks5": "\x05\x01\x00", "tls": "\x16\x03\x01\x00", "socks4": "\x04\x01"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := w.dial()
			io.WriteString(c, bytes)
			if got, _ := io.ReadAll(c); len(got) != 0 {
				t.Errorf("answered %q", got)
			}
			w.oneRecord(schemas.CodeBadRequest)
		})
	}
}

func TestC21_AltSvcIsRemoved(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Alt-Svc", `h3=":443"`)
		rw.Header().Set("X-Policy-Reason", "forged")
		rw.Header().Set("X-Openshell-Code", "forged")
		rw.Header().Set("Connection", "X-Hop")
		rw.Header().Set("X-Hop", "1")
		rw.Header().Set("X-Kept", "1")
	})
	resp, _ := w.inTunnel("GET", w.get("/x"))
	for _, name := range []string{"Alt-Svc", "X-Policy-Reason", "X-Openshell-Code", "X-Hop"} {
		if v := resp.Header.Get(name); v != "" {
			t.Errorf("H07: the client saw %s: %s", name, v)
		}
	}
	if resp.Header.Get("X-Kept") == "" {
		t.Error("an ordinary header was lost")
	}
}

func TestSilentTunnelIsClosedAndRecorded(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.HandshakeTimeout = 100 * time.Millisecond })
	c := w.dial()
	w.connect(c, w.api())
	if got, _ := io.ReadAll(c); len(got) != 0 {
		t.Errorf("answered %q", got)
	}
	w.oneRecord(schemas.CodeBadRequest)
}

func TestDenyConnectPlain(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.DenyConnect = gateway.DenyPlain })
	resp, body := exchange(t, w.dial(), "GET", "CONNECT pypi.org:443 HTTP/1.1\r\nHost: pypi.org:443\r\n"+auth(w.box)+"\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
}
