package gateway_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// What an origin may act on although the gateway decided something else.

func TestDecisiveHeadersWithUnderscores(t *testing.T) {
	for _, name := range []string{
		"X_HTTP_Method_Override", "x-http_method-override", "X_HTTP_METHOD", "X_Method_Override", "X_Original_URL", "X_Rewrite_Url",
		"Transfer_Encoding", "Content_Length", "Proxy_Authorization",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\n"+name+": DELETE\r\n\r\n")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

func TestOtherHeadersWithUnderscores(t *testing.T) {
	w := newWorld(t)
	resp, _ := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nX_Request_Id: 1\r\n\r\n")
	if resp.StatusCode != 200 || w.origin.last(t).Header.Get("X_Request_Id") != "1" {
		t.Error(resp.Status, w.origin.last(t).Header)
	}
}

func TestDecisiveTrailers(t *testing.T) {
	for _, name := range []string{"X-HTTP-Method-Override", "X_Original_Url", "Host", "Proxy-Authorization", "Content-Length", "transfer-encoding", "a, Trailer"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nTransfer-Encoding: chunked\r\nTrailer: "+name+"\r\n\r\n1\r\na\r\n0\r\n"+name+": 1\r\n\r\n")
			w.denied(resp, body, 400, schemas.CodeBadRequest)
		})
	}
}

func TestTrailersThatWereNotAnnounced(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) })
	resp, _ := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-HTTP-Method-Override: DELETE\r\nHost: evil.test\r\nContent-Length: 9\r\n\r\n")
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if got := w.origin.last(t).Trailer; len(got) != 1 || got.Get("X-Sum") != "1" {
		t.Errorf("the origin got the trailer %v", got)
	}
}

func TestManyOverridesCostNothing(t *testing.T) {
	w := newWorld(t)
	methods := "A"
	for i := range 3000 {
		methods += ",M" + strconv.Itoa(i)
	}
	resp, body := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nX-HTTP-Method-Override: "+methods+"\r\n\r\n")
	w.denied(resp, body, 400, schemas.CodeBadRequest)
}

func TestPasswordsInAuthoritiesAreNotRecorded(t *testing.T) {
	for name, target := range map[string]string{
		"authority": "GET https://u:hunter2@%s/x HTTP/1.1\r\nHost: %[1]s\r\n\r\n",
		"fault":     "GET https://u:hunter2@%s/x HTTP/1.1\r\nHost: u:hunter2@%[1]s\r\n\r\n",
		"folded":    "GET https://u:hunter2@%s/x HTTP/1.1\r\nHost: %[1]s\r\nA: b\r\n c\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("GET", fmt.Sprintf(target, w.api()))
			w.denied(resp, body, 400, schemas.CodeBadRequest)
			r := w.oneRecord(schemas.CodeBadRequest)
			if told := fmt.Sprint(body, r.Result.Message, r.Input.Network); strings.Contains(told, "hunter2") {
				t.Error(told)
			}
		})
	}
	t.Run("plain", func(t *testing.T) {
		w := newWorld(t)
		resp, body := exchange(t, w.dial(), "GET", "GET http://u:hunter2@api.test/x HTTP/1.1\r\nHost: api.test\r\n"+auth(w.box)+"\r\n")
		w.denied(resp, body, 400, schemas.CodeBadRequest)
		if r := w.oneRecord(schemas.CodeBadRequest); strings.Contains(body+r.Result.Message, "hunter2") {
			t.Error(body, r.Result.Message)
		}
	})
}

// A WebSocket whose upgrade was allowed by a generation that is gone by the time
// that the upstream answers.
func TestH08_ReloadWhileAWebSocketOpens(t *testing.T) {
	w := newWorld(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		close(asked)
		<-answer
		echoWebSocket(rw, r)
	})
	authority := "ws.test:" + strconv.Itoa(w.origin.port)
	tc := w.tunnel(authority, "ws.test")
	io.WriteString(tc, upgrade(authority))
	<-asked
	w.reloadWithout(t, "ws")
	close(answer)
	_ = tc.SetDeadline(time.Now().Add(5 * time.Second))
	br := bufio.NewReader(tc)
	if _, err := http.ReadResponse(br, nil); err != nil {
		return // closed before the answer
	}
	if _, err := br.ReadByte(); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("the WebSocket outlived its rule: %v", err)
	}
}

// slowMemory is a log whose first record takes until somebody lets it pass.
type slowMemory struct {
	*memory
	writing, written chan struct{}
}

func (m *slowMemory) Append(ctx context.Context, r *schemas.Record) error {
	if m.writing != nil && r.Custom.Type == schemas.RecordDecision {
		m.writing <- struct{}{}
		<-m.written
	}
	return m.memory.Append(ctx, r)
}

func TestH08_ReloadWhileATunnelIsJoined(t *testing.T) {
	slow := &slowMemory{&memory{}, make(chan struct{}), make(chan struct{})}
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) { d.Audit = slow })
	authority := "pass.test:" + strconv.Itoa(w.origin.port)
	c := w.dial()
	w.connect(c, authority)
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	ended := make(chan error, 1)
	go func() {
		tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
		_, err := io.Copy(io.Discard, tc)
		ended <- err
	}()
	<-slow.writing
	w.reloadWithout(t, "pass")
	close(slow.written)
	if err := <-ended; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the tunnel outlived its rule")
	}
}

func (w *world) reloadWithout(t *testing.T, rule string) {
	t.Helper()
	w.load(w.policies.without(rule))
}

// Connections that never say whose they are count for no sandbox; they must not
// keep those out that do.
func TestF24_SilentConnections(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.Connections = 8 })
	for range 20 {
		w.dial()
	}
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
}

// A connection that said whose it is stays, however many others come.
func TestF24_KnownConnectionsStay(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.Connections = 4 })
	tc := w.tunnel(w.api(), "api.test")
	for range 20 {
		w.dial()
	}
	if resp, body := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
}

// A decision that an upstream claims in its trailer.
func TestH07_SpoofedDecisionTrailers(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "X-Openshell-Code, X-Sum")
		io.WriteString(rw, "body")
		rw.Header().Set("X-Openshell-Code", "allowed")
		rw.Header().Set("X-Sum", "1")
		rw.Header().Set(http.TrailerPrefix+"X-Policy-Reason", "none")
		rw.Header().Set(http.TrailerPrefix+"X-More", "2")
	})
	resp, _ := w.inTunnel("GET", w.get("/x"))
	if len(resp.Trailer) != 2 || resp.Trailer.Get("X-Sum") != "1" || resp.Trailer.Get("X-More") != "2" {
		t.Errorf("trailer %v", resp.Trailer)
	}
}

// What audit mode records as let through is let through, on any port.
func TestH13_AuditModeOfAnUnnamedPort(t *testing.T) {
	w := newWorld(t)
	watching := w.policies.without("private", "metadata", "pass", "ws", "outbound[0]")
	watching.mode = schemas.ModeAudit
	w.load(watching)
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("not let through: %s %s", resp.Status, body)
	}
	if r := w.oneRecord(schemas.CodePortNotAllowed); r.Custom.Mode != schemas.ModeAudit || r.Input.Network.Method != "GET" {
		t.Errorf("recorded %+v", r.Result)
	}
}
