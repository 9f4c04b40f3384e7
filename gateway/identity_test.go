package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Group H: identity, logs, failure.

func TestH01_NoIdentity(t *testing.T) {
	for name, field := range map[string]func(adminapi.CreatedSandbox) string{
		"none":        func(adminapi.CreatedSandbox) string { return "" },
		"wrong token": func(b adminapi.CreatedSandbox) string { b.Token = "ost_wrong"; return auth(b) },
		"unknown id":  func(b adminapi.CreatedSandbox) string { b.ID = "sb-zzzzzz"; return auth(b) },
		"bearer":      func(b adminapi.CreatedSandbox) string { return "Proxy-Authorization: Bearer " + b.Token + "\r\n" },
		"not base64":  func(adminapi.CreatedSandbox) string { return "Proxy-Authorization: Basic !!\r\n" },
		"two":         func(b adminapi.CreatedSandbox) string { return auth(b) + auth(b) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			field := field(w.box)
			resp, body := exchange(t, w.dial(), "GET", "CONNECT "+w.api()+" HTTP/1.1\r\nHost: "+w.api()+"\r\n"+field+"\r\n")
			want := schemas.CodeUnknownSandbox
			if field == "" {
				want = schemas.CodeIdentityRequired // a challenge, which is no violation
			}
			w.denied(resp, body, 407, want)
			if resp.Header.Get("Proxy-Authenticate") == "" {
				t.Error("no Proxy-Authenticate")
			}
		})
	}
}

func TestH02_SocketAndTokenDisagree(t *testing.T) {
	w := newWorld(t)
	other, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", other.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, body := exchange(t, c, "GET", "CONNECT "+w.api()+" HTTP/1.1\r\nHost: "+w.api()+"\r\n"+auth(w.box)+"\r\n")
	w.denied(resp, body, 403, schemas.CodeIdentityMismatch)
}

func TestSocketIsIdentity(t *testing.T) {
	w := newWorld(t)
	other, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", other.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	authority := fmt.Sprint("api.test:", w.plain.port)
	if resp, _ := exchange(t, c, "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if r := w.oneRecord(schemas.CodeAllowed); r.Custom.Sandbox != other.ID {
		t.Errorf("recorded for %s, want %s", r.Custom.Sandbox, other.ID)
	}
	info, err := os.Stat(other.Socket)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info.Mode(), err)
	}
}

func TestConnectionOfTwoSandboxes(t *testing.T) {
	w := newWorld(t)
	other, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p"})
	if err != nil {
		t.Fatal(err)
	}
	c := w.dial()
	authority := fmt.Sprint("api.test:", w.plain.port)
	get := "GET http://" + authority + "/x HTTP/1.1\r\nHost: " + authority + "\r\n"
	if resp, _ := exchange(t, c, "GET", get+auth(w.box)+"\r\n"); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	if resp, body := exchange(t, c, "GET", get+auth(other)+"\r\n"); resp.StatusCode != 403 || !strings.Contains(body, "identity_mismatch") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestPlainRequests(t *testing.T) {
	w := newWorld(t)
	authority := fmt.Sprint("api.test:", w.plain.port)
	for name, tt := range map[string]struct {
		target, host string
		status       int
	}{
		"allowed": {"http://" + authority + "/x", authority, 200}, "no path": {"http://" + authority, authority, 200},
		"origin form": {"/x", authority, 400}, "https": {"https://" + authority + "/x", authority, 400},
		"A09_OtherHost": {"http://" + authority + "/x", "evil.test", 421}, "A16_Userinfo": {"http://u@" + authority + "/x", authority, 400},
		"unlisted": {"http://evil.test/x", "evil.test", 403}, "fragment": {"http://" + authority + "/x#f", authority, 400},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := exchange(t, w.dial(), "GET", "GET "+tt.target+" HTTP/1.1\r\nHost: "+tt.host+"\r\n"+auth(w.box)+"\r\n")
			if resp.StatusCode != tt.status {
				t.Errorf("%s, want %d: %s", resp.Status, tt.status, body)
			}
		})
	}
	if h := w.plain.last(t).Header; h.Get("Proxy-Authorization") != "" {
		t.Error("H04: the origin saw the proxy's credentials")
	}
}

func TestH05_LogInjection(t *testing.T) {
	dir := t.TempDir()
	l, err := audit.Open(dir+"/a", audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) { d.Audit = l })
	w.inTunnel("GET", w.get("/x/%E2%80%A8%1b?token=secret"))
	w.inTunnel("GET", w.get("/x/ghp_"+strings.Repeat("a1", 18)))
	w.inTunnel("GET", w.get("/none/ghp_"+strings.Repeat("a1", 18)))
	var data []byte
	for e, err := range audit.Entries(dir+"/a", audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(data, e.Line...), '\n')
	}
	for _, bad := range []string{"secret", "ghp_a1", "\u2028", "\x1b", w.box.Token} {
		if strings.Contains(string(data), bad) {
			t.Errorf("the log holds %q: %s", bad, data)
		}
	}
	n := 0
	err = audit.Read(strings.NewReader(string(data)), func(r *schemas.Record) error { n++; audit.Line(r, audit.LineOptions{}); return nil })
	if err != nil || n < 3 {
		t.Errorf("%d records, %v", n, err)
	}
}

func TestH10_AuditUnavailable(t *testing.T) {
	w := newWorld(t)
	w.records.fail(errDisk)
	tc := w.tunnel(w.api(), "api.test")
	resp, body := exchange(t, tc, "GET", w.get("/x"))
	if resp.StatusCode != 503 || !strings.Contains(body, "audit_unavailable") {
		t.Errorf("%s %s", resp.Status, body)
	}
	resp, body = exchange(t, w.tunnel(w.api(), "api.test"), "GET", w.get("/none"))
	if resp.StatusCode != 503 || !strings.Contains(body, "audit_unavailable") {
		t.Errorf("denial: %s %s", resp.Status, body)
	}
	if n := w.origin.requests.Load(); n != 0 {
		t.Errorf("%d requests reached the origin", n)
	}
	if r := w.g.Ready(); r.Ready || r.Audit == "" {
		t.Errorf("ready %+v", r)
	}
	w.records.fail(nil)
	if resp, _ := exchange(t, w.tunnel(w.api(), "api.test"), "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("after the disk has room: %s", resp.Status)
	}
}

func TestH11_Panic(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	w.engine.broken.Store(true)
	resp, body := exchange(t, tc, "GET", w.get("/x"))
	w.denied(resp, body, 500, schemas.CodePolicyError)
	if !resp.Close {
		t.Error("the connection is kept")
	}
	w.engine.broken.Store(false)
	if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
}

func TestH13_AuditMode(t *testing.T) {
	w := newWorld(t)
	watching := w.policies
	watching.mode = schemas.ModeAudit
	w.load(watching)
	resp, _ := w.inTunnel("GET", w.get("/none"))
	if resp.StatusCode != 200 {
		t.Errorf("not let through: %s", resp.Status)
	}
	if r := w.oneRecord(schemas.CodePathNotAllowed); r.Result.Allow || r.Custom.Mode != schemas.ModeAudit {
		t.Errorf("recorded %+v", r.Result)
	}
	if resp, _ := w.inTunnel("GET", w.get("/a%00b")); resp.StatusCode != 400 {
		t.Errorf("malformed: %s", resp.Status)
	}
}

func TestEndedSandboxIsCutOff(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	client := adminapi.NewClient(w.g.AdminAddr(), w.g.AdminToken())
	if _, err := client.End(t.Context(), w.box.ID, adminapi.StatusStopped, nil); err != nil {
		t.Fatal(err)
	}
	_ = tc.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(tc); err == nil {
		t.Log("closed cleanly")
	}
	resp, body := exchange(t, w.dial(), "GET", "CONNECT "+w.api()+" HTTP/1.1\r\nHost: "+w.api()+"\r\n"+auth(w.box)+"\r\n")
	w.denied(resp, body, 407, schemas.CodeUnknownSandbox)
}

func TestNoPolicy(t *testing.T) {
	w := newWorld(t)
	box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "gone"})
	if err != nil {
		t.Fatal(err)
	}
	w.box = box
	tc := w.tunnel("api.test:443", "api.test")
	resp, body := exchange(t, tc, "GET", "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n")
	w.denied(resp, body, http.StatusForbidden, schemas.CodeNoPolicy)
}
