package gateway_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// The ways in besides the proxy listener: SOCKS 5, transparent, and the socket of
// a sandbox's supervisor.

func withSOCKS(c *gateway.Config, _ *gateway.Deps) { c.Listen.SOCKS = "127.0.0.1:0" }

// socks says a client's part as far as the gateway answers, and returns the last
// answer.
func (w *world) socks(user, password, request string) (net.Conn, string) {
	w.tb.Helper()
	c := w.dialAt("tcp", w.g.SOCKSAddr())
	greeting := "\x05\x01\x02"
	if user == "" {
		greeting = "\x05\x01\x00"
	}
	answer := w.say(c, greeting, 2)
	if user == "" || answer != "\x05\x02" {
		return c, answer
	}
	answer = w.say(c, fmt.Sprintf("\x01%c%s%c%s", len(user), user, len(password), password), 2)
	if answer != "\x01\x00" {
		return c, answer
	}
	return c, w.say(c, request, 10)
}

func (w *world) say(c net.Conn, s string, n int) string {
	w.tb.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		w.tb.Fatal(err)
	}
	got, _ := io.ReadAll(io.LimitReader(c, int64(n)))
	return string(got)
}

func (w *world) dialAt(network, address string) net.Conn {
	w.tb.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func socksName(command byte, host string, port int) string {
	return fmt.Sprintf("\x05%c\x00\x03%c%s%c%c", command, len(host), host, 0, 0)[:5+len(host)] + string([]byte{byte(port >> 8), byte(port)})
}

// handshake does TLS as a client that trusts the gateway.
func (w *world) handshake(c net.Conn, sni string) *tls.Conn {
	w.tb.Helper()
	tc := tls.Client(c, &tls.Config{ServerName: sni, RootCAs: w.roots})
	if err := tc.Handshake(); err != nil {
		w.tb.Fatal(err)
	}
	return tc
}

func TestSOCKS(t *testing.T) {
	w := newWorld(t, withSOCKS)
	c, answer := w.socks(w.box.ID, w.box.Token, socksName(1, "API.test", w.origin.port))
	if !strings.HasPrefix(answer, "\x05\x00") {
		t.Fatalf("answered %q", answer)
	}
	if resp, body := exchange(t, w.handshake(c, "api.test"), "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
	w.oneRecord(schemas.CodeAllowed)
}

func TestSOCKSInClear(t *testing.T) {
	w := newWorld(t, withSOCKS)
	c, _ := w.socks(w.box.ID, w.box.Token, socksName(1, "api.test", w.plain.port))
	authority := fmt.Sprint("api.test:", w.plain.port)
	if resp, body := exchange(t, c, "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
	w.oneRecord(schemas.CodeAllowed)
}

func TestSOCKSUnlistedHostIsDeniedInside(t *testing.T) {
	w := newWorld(t, withSOCKS)
	c, _ := w.socks(w.box.ID, w.box.Token, socksName(1, "pypi.org", 443))
	resp, body := exchange(t, w.handshake(c, "pypi.org"), "GET", "GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
}

func TestSOCKSRefusals(t *testing.T) {
	for name, tt := range map[string]struct {
		user, password, request string
		answer                  string
		code                    schemas.Code
	}{
		"no credentials":  {"", "", "", "\x05\xff", schemas.CodeIdentityRequired},
		"wrong password":  {"ID", "ost_wrong", "", "\x01\x01", schemas.CodeUnknownSandbox},
		"unknown sandbox": {"sb-zzzzzz", "TOKEN", "", "\x01\x01", schemas.CodeUnknownSandbox},
		"BIND":            {"ID", "TOKEN", socksName(2, "api.test", 443), "\x05\x07", schemas.CodeBadRequest},
		"UDP ASSOCIATE":   {"ID", "TOKEN", socksName(3, "api.test", 443), "\x05\x07", schemas.CodeBadRequest},
		"no such address": {"ID", "TOKEN", "\x05\x01\x00\x09aaaa\x01\xbb", "\x05\x08", schemas.CodeBadRequest},
		"port":            {"ID", "TOKEN", socksName(1, "api.test", 25), "\x05\x02", schemas.CodePortNotAllowed},
		"B02_Short":       {"ID", "TOKEN", socksName(1, "127.1", 443), "\x05\x02", schemas.CodeBadRequest},
		"A25_NUL":         {"ID", "TOKEN", socksName(1, "a\x00b", 443), "\x05\x02", schemas.CodeBadRequest},
		"A16_Userinfo":    {"ID", "TOKEN", socksName(1, "u@api.test", 443), "\x05\x02", schemas.CodeBadRequest},
		"no port":         {"ID", "TOKEN", socksName(1, "api.test", 0), "\x05\x02", schemas.CodeBadRequest},
		"address":         {"ID", "TOKEN", "\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x19", "\x05\x02", schemas.CodePortNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withSOCKS)
			fill := strings.NewReplacer("ID", w.box.ID, "TOKEN", w.box.Token)
			c, answer := w.socks(fill.Replace(tt.user), fill.Replace(tt.password), tt.request)
			if !strings.HasPrefix(answer, tt.answer) {
				t.Errorf("answered %q, want %q", answer, tt.answer)
			}
			if rest, _ := io.ReadAll(c); len(rest) != 0 {
				t.Errorf("and then %q", rest)
			}
			w.oneRecord(tt.code)
			w.untouched()
		})
	}
}

func TestSOCKSGarbage(t *testing.T) {
	for name, bytes := range map[string]string{"socks4": "\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "http": "GET / HTTP/1.1\r\n\r\n", "no methods": "\x05\x00", "cut off": "\x05\x09\x00"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withSOCKS)
			c := w.dialAt("tcp", w.g.SOCKSAddr())
			io.WriteString(c, bytes)
			_ = c.(*net.TCPConn).CloseWrite()
			if got, _ := io.ReadAll(c); len(got) != 0 {
				t.Errorf("answered %q", got)
			}
			w.oneRecord(schemas.CodeBadRequest)
		})
	}
}

// supervised opens a connection on the supervisor's socket of a new sandbox.
func (w *world) supervised(s gateway.Statement) (net.Conn, adminapi.CreatedSandbox) {
	w.tb.Helper()
	box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
	if err != nil {
		w.tb.Fatal(err)
	}
	c := w.dialAt("unix", box.Socket+gateway.AttestedSuffix)
	line, err := s.Append(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	_, _ = c.Write(line)
	return c, box
}

func (w *world) to(port int) string { return fmt.Sprintf("198.18.0.7:%d", port) }

func TestTransparentTLS(t *testing.T) {
	w := newWorld(t)
	c, box := w.supervised(gateway.Statement{Destination: w.to(w.origin.port)})
	if resp, body := exchange(t, w.handshake(c, "api.test"), "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
	if r := w.oneRecord(schemas.CodeAllowed); r.Custom.Sandbox != box.ID || r.Input.Network.Host != "api.test" {
		t.Errorf("recorded %+v", r.Input.Network)
	}
}

func TestTransparentUnlistedHost(t *testing.T) {
	w := newWorld(t)
	c, _ := w.supervised(gateway.Statement{Destination: w.to(443)})
	resp, body := exchange(t, w.handshake(c, "pypi.org"), "GET", "GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodeHostNotInPolicy)
}

func TestTransparentOtherPort(t *testing.T) {
	w := newWorld(t)
	c, _ := w.supervised(gateway.Statement{Destination: w.to(25)})
	resp, body := exchange(t, w.handshake(c, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: api.test:25\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodePortNotAllowed)
}

func TestTransparentPassthrough(t *testing.T) {
	w := newWorld(t)
	c, _ := w.supervised(gateway.Statement{Destination: w.to(w.origin.port)})
	tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
	if resp, body := exchange(t, tc, "GET", "GET /any HTTP/1.1\r\nHost: pass.test\r\n\r\n"); resp.StatusCode != 200 || body != "GET /any 0" {
		t.Error(resp.Status, body)
	}
	w.oneRecord(schemas.CodeAllowed)
}

func TestTransparentWithoutAName(t *testing.T) {
	w := newWorld(t)
	c, _ := w.supervised(gateway.Statement{Destination: w.to(w.origin.port)})
	err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("handshake: %v, want the alert unrecognized_name", err)
	}
	w.oneRecord(schemas.CodeBadRequest)
	w.untouched()
}

func TestTransparentInClear(t *testing.T) {
	w := newWorld(t)
	authority := fmt.Sprint("api.test:", w.plain.port)
	for name, tt := range map[string]struct {
		head   string
		status int
	}{
		"allowed":         {"GET /x HTTP/1.1\r\nHost: " + authority + "\r\n", 200},
		"absolute":        {"GET http://" + authority + "/x HTTP/1.1\r\nHost: " + authority + "\r\n", 200},
		"other port":      {"GET /x HTTP/1.1\r\nHost: api.test:1\r\n", 421},
		"no port":         {"GET /x HTTP/1.1\r\nHost: api.test\r\n", 421},
		"A14_NoHost":      {"GET /x HTTP/1.1\r\n", 400},
		"A14_NoHost10":    {"GET /x HTTP/1.0\r\n", 400},
		"A16_Userinfo":    {"GET /x HTTP/1.1\r\nHost: u@" + authority + "\r\n", 400},
		"unlisted":        {"GET /x HTTP/1.1\r\nHost: evil.test:" + fmt.Sprint(w.plain.port) + "\r\n", 403},
		"A10_Other":       {"GET http://evil.test/x HTTP/1.1\r\nHost: " + authority + "\r\n", 421},
		"A11_Scheme":      {"GET https://" + authority + "/x HTTP/1.1\r\nHost: " + authority + "\r\n", 400},
		"C17_CONNECT":     {"CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n", 405},
		"F01_CLWithTE":    {"POST /x HTTP/1.1\r\nHost: " + authority + "\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400},
		"D17_Asterisk":    {"OPTIONS * HTTP/1.1\r\nHost: " + authority + "\r\n", 400},
		"F11_WithoutHTTP": {"GET /x\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.records.decisions())
			c, _ := w.supervised(gateway.Statement{Destination: w.to(w.plain.port)})
			resp, body := exchange(t, c, "GET", tt.head+"\r\n")
			if resp.StatusCode != tt.status {
				t.Errorf("%s, want %d: %s", resp.Status, tt.status, body)
			}
			if n := len(w.records.decisions()) - before; n != 1 {
				t.Errorf("%d records", n)
			}
		})
	}
	if n := w.plain.requests.Load(); n != 2 {
		t.Errorf("%d requests reached the origin, want 2", n)
	}
}

// Each request of a transparent connection in clear is judged by its own Host.
func TestTransparentKeepAliveToAnotherHost(t *testing.T) {
	w := newWorld(t)
	c, _ := w.supervised(gateway.Statement{Destination: w.to(w.plain.port)})
	br := bufio.NewReader(c)
	get := func(host string) string {
		return fmt.Sprintf("GET /x HTTP/1.1\r\nHost: %s:%d\r\n\r\n", host, w.plain.port)
	}
	io.WriteString(c, get("api.test")+get("evil.test"))
	first, _ := readResponse(t, br, "GET")
	second, _ := readResponse(t, br, "GET")
	if first.StatusCode != 200 || second.StatusCode != 403 {
		t.Errorf("%s, then %s", first.Status, second.Status)
	}
}

func TestTransparentOtherBytes(t *testing.T) {
	for name, bytes := range map[string]string{"ssh": "SSH-2.0-x\r\n", "binary": "\x00\x01\x02\x03", "torn hello": "\x16\x03\x01\xff\xff"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c, _ := w.supervised(gateway.Statement{Destination: w.to(w.origin.port)})
			io.WriteString(c, bytes)
			_ = c.(*net.UnixConn).CloseWrite()
			_, _ = io.ReadAll(c)
			w.oneRecord(schemas.CodeBadRequest)
			w.untouched()
		})
	}
}

// atLoopback says that everybody at 127.0.0.0/8 but 127.0.0.1 is one sandbox.
type atLoopback struct{ id string }

func (a *atLoopback) Sandbox(addr netip.Addr) (string, bool) {
	return a.id, a.id != "" && addr != netip.MustParseAddr("127.0.0.1")
}

func dialFrom(t *testing.T, from, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// A listener at every address, as inside a sandbox's namespace: the kernel tells
// where the client meant to go, and the source address whose it is.
func TestTransparentListener(t *testing.T) {
	sources := &atLoopback{}
	w := newWorld(t, func(c *gateway.Config, d *gateway.Deps) {
		c.Listen.Transparent = "0.0.0.0:0"
		d.Sources = sources
	})
	sources.id = w.box.ID
	_, port, _ := net.SplitHostPort(w.g.TransparentAddr())
	var n int
	fmt.Sscan(port, &n)
	w.load(w.policies.with(testRule{"led", "led.test", "http", n, ""}))
	c := dialFrom(t, "127.0.0.9", "127.0.0.77:"+port)
	resp, body := exchange(t, c, "GET", "GET /x HTTP/1.1\r\nHost: led.test:"+port+"\r\n\r\n")
	if resp.StatusCode != 502 || !strings.Contains(body, "upstream_error") { // allowed; the name does not resolve
		t.Errorf("%s %s", resp.Status, body)
	}
	if r := w.oneRecord(schemas.CodeAllowed); r.Input.Network.Port != n || r.Custom.Sandbox != w.box.ID {
		t.Errorf("recorded %+v", r.Input.Network)
	}
}

func TestTransparentListenerForNobody(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Listen.Transparent = "127.0.0.1:0" })
	c := w.dialAt("tcp", w.g.TransparentAddr())
	io.WriteString(c, "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n")
	if got, _ := io.ReadAll(c); len(got) != 0 {
		t.Errorf("answered %q", got)
	}
	w.oneRecord(schemas.CodeUnknownSandbox)
	w.untouched()
}
