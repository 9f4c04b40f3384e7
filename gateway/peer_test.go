package gateway_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// Rules that name programs.

// gitOnly lets only git at the origin in clear, and denies curl a path.
func gitOnly(w *world) {
	p := w.policies.change("plain", func(r *testRule) { r.more = `binaries: [/usr/bin/git], methods: [GET]` })
	p = p.with(testRule{"curl-too", "api.test", "http", w.plain.port, `binaries: ["/usr/bin/cur*"], paths: ["/c/**"]`})
	p.denied = []string{fmt.Sprintf(`{name: no-curl, host: api.test, ports: [%d], paths: ["/c/secret"], binaries: [/usr/bin/curl]}`, w.plain.port)}
	w.load(p)
}

// said answers for every connection.
type said struct {
	peer  gateway.Peer
	known bool
	asked atomic.Int64
	about gateway.Connection
}

func (s *said) Peer(_ context.Context, c gateway.Connection) (gateway.Peer, bool) {
	s.asked.Add(1)
	s.about = c
	return s.peer, s.known
}

func (w *world) plainGet(path string) string {
	authority := fmt.Sprint("api.test:", w.plain.port)
	return "GET http://" + authority + path + " HTTP/1.1\r\nHost: " + authority + "\r\n" + auth(w.box) + "\r\n"
}

func TestBinaries(t *testing.T) {
	for name, tt := range map[string]struct {
		peer  gateway.Peer
		known bool
		path  string
		code  schemas.Code
	}{
		"the program":          {gateway.Peer{Binary: "/usr/bin/git"}, true, "/x", schemas.CodeAllowed},
		"another":              {gateway.Peer{Binary: "/usr/bin/python3"}, true, "/x", schemas.CodeBinaryNotAllowed},
		"an ancestor":          {gateway.Peer{Binary: "/usr/bin/python3", Ancestors: []string{"/usr/bin/git"}}, true, "/x", schemas.CodeBinaryNotAllowed},
		"unknown, allow":       {gateway.Peer{}, false, "/x", schemas.CodeBinaryNotAllowed},
		"known of nothing":     {gateway.Peer{}, true, "/x", schemas.CodeBinaryNotAllowed},
		"a glob":               {gateway.Peer{Binary: "/usr/bin/curl"}, true, "/c/x", schemas.CodeAllowed},
		"denied":               {gateway.Peer{Binary: "/usr/bin/curl"}, true, "/c/secret", schemas.CodeDeniedRule},
		"unknown, deny":        {gateway.Peer{}, false, "/c/secret", schemas.CodeDeniedRule},
		"denied for its child": {gateway.Peer{Binary: "/usr/bin/cursor", Ancestors: []string{"/usr/bin/curl"}}, true, "/c/secret", schemas.CodeDeniedRule},
	} {
		t.Run(name, func(t *testing.T) {
			peers := &said{peer: tt.peer, known: tt.known}
			w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) { d.Peers = peers })
			gitOnly(w)
			resp, body := exchange(t, w.dial(), "GET", w.plainGet(tt.path))
			if tt.code == schemas.CodeAllowed {
				if resp.StatusCode != 200 {
					t.Error(resp.Status, body)
				}
			} else {
				w.denied(resp, body, 403, tt.code)
			}
			r := w.oneRecord(tt.code)
			if tt.known && r.Input.Network.Binary != tt.peer.Binary {
				t.Errorf("recorded %q", r.Input.Network.Binary)
			}
			if c := peers.about; peers.asked.Load() != 1 || c.Sandbox != w.box.ID || !c.Client.IsValid() || c.Gateway.String() != w.g.ProxyAddr() {
				t.Errorf("asked %d times, about %+v", peers.asked.Load(), c)
			}
		})
	}
}

func TestBinariesInsideATunnel(t *testing.T) {
	peers := &said{peer: gateway.Peer{Binary: "/usr/bin/git"}, known: true}
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) { d.Peers = peers })
	w.load(w.policies.change("outbound[0]", func(r *testRule) { r.more = "binaries: [/usr/bin/git]" }).
		change("pass", func(r *testRule) { r.more += ", binaries: [/usr/bin/ssh]" }))
	tc := w.tunnel(w.api(), "api.test")
	for range 2 {
		if resp, body := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
			t.Error(resp.Status, body)
		}
	}
	if n := peers.asked.Load(); n != 1 {
		t.Errorf("asked %d times for one connection", n)
	}
	c := w.dial()
	w.connect(c, fmt.Sprint("pass.test:", w.origin.port))
	c.Write(clientHello(t, "pass.test"))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the program may not use the spliced destination, and got through")
	}
}

// Who can connect to the supervisor's socket says which program it is; who can
// only connect to the sandbox's own says nothing.
func TestBinariesByTheSupervisor(t *testing.T) {
	w := newWorld(t)
	gitOnly(w)
	get := fmt.Sprintf("GET http://api.test:%d/x HTTP/1.1\r\nHost: api.test:%d\r\n\r\n", w.plain.port, w.plain.port)
	c, box := w.supervised(gateway.Statement{Binary: "/usr/bin/git", Ancestors: []string{"/bin/bash"}})
	if resp, body := exchange(t, c, "GET", get); resp.StatusCode != 200 {
		t.Error(resp.Status, body)
	}
	if r := w.oneRecord(schemas.CodeAllowed); len(r.Input.Network.Ancestors) != 1 {
		t.Errorf("recorded %v", r.Input.Network.Ancestors)
	}
	if resp, body := exchange(t, w.dialAt("unix", box.Socket), "GET", get); resp.StatusCode != 403 || !strings.Contains(body, "binary_not_allowed") {
		t.Errorf("%s %s", resp.Status, body)
	}
	line, _ := gateway.Statement{Binary: "/usr/bin/git"}.Append(nil)
	if resp, body := exchange(t, w.dialAt("unix", box.Socket), "GET", string(line)+get); resp.StatusCode != 400 {
		t.Errorf("a statement on the sandbox's own socket: %s %s", resp.Status, body)
	}
}

func TestStatements(t *testing.T) {
	for name, line := range map[string]string{
		"not JSON": "hello", "other version": `{"openshell":2}`, "no version": `{}`, "unknown field": `{"openshell":1,"uid":0}`,
		"two": `{"openshell":1}{}`, "relative": `{"openshell":1,"binary":"git"}`, "not clean": `{"openshell":1,"binary":"/usr/../bin/git"}`,
		"relative ancestor": `{"openshell":1,"ancestors":["sh"]}`, "no port": `{"openshell":1,"destination":"1.2.3.4"}`,
		"a name": `{"openshell":1,"destination":"api.test:443"}`, "too long": `{"openshell":1,"binary":"/` + strings.Repeat("a", 20<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
			if err != nil {
				t.Fatal(err)
			}
			c := w.dialAt("unix", box.Socket+gateway.AttestedSuffix)
			c.Write([]byte(line + "\nGET http://api.test/x HTTP/1.1\r\nHost: api.test\r\n\r\n"))
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes of an answer", n)
			}
			w.oneRecord(schemas.CodeBadRequest)
			w.untouched()
		})
	}
}

// FuzzStatement holds that what is read is what it was written as.
func FuzzStatement(f *testing.F) {
	f.Add(`{"openshell":1,"binary":"/usr/bin/git","ancestors":["/bin/bash"],"destination":"198.18.0.7:443"}`)
	f.Add(`{"openshell":1}`)
	f.Add(`{"openshell":1,"binary":"/a/../b"}`)
	f.Fuzz(func(t *testing.T, line string) {
		s, to, err := gateway.ParseStatement([]byte(line))
		if err != nil {
			return
		}
		b, err := s.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, to2, err := gateway.ParseStatement(b[:len(b)-1])
		if err != nil || again.Binary != s.Binary || to != to2 || strings.Count(string(b), "\n") != 1 {
			t.Errorf("%q became %q: %v", line, b, err)
		}
	})
}

// The kernel's word counts for users that no sandbox can be, and for nobody else:
// a process can connect and then execute an allowed program.
func TestBinariesByTheKernel(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		trusted []uint32
		status  int
	}{"trusted": {[]uint32{uint32(os.Geteuid())}, 200}, "not trusted": {nil, 403}, "others": {[]uint32{54321}, 403}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Identity.TrustedUIDs = tt.trusted })
			w.load(w.policies.change("plain", func(r *testRule) { r.more = fmt.Sprintf("binaries: [%q]", self) }))
			box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
			if err != nil {
				t.Fatal(err)
			}
			c := w.dialAt("unix", box.Socket)
			authority := fmt.Sprint("api.test:", w.plain.port)
			if resp, body := exchange(t, c, "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n"); resp.StatusCode != tt.status {
				t.Errorf("%s, want %d: %s", resp.Status, tt.status, body)
			}
		})
	}
}

// Evidence that the configuration requires.
func TestRequiredIdentity(t *testing.T) {
	for name, tt := range map[string]struct {
		require string
		token   bool
		from    string // 127.0.0.9 is the sandbox, 127.0.0.1 nobody
		code    schemas.Code
	}{
		"any, token":               {gateway.RequireAny, true, "127.0.0.1", schemas.CodeAllowed},
		"any, source":              {gateway.RequireAny, false, "127.0.0.9", schemas.CodeAllowed},
		"any, nothing":             {gateway.RequireAny, false, "127.0.0.1", schemas.CodeIdentityRequired},
		"token, source":            {gateway.RequireToken, false, "127.0.0.9", schemas.CodeIdentityRequired},
		"source, token":            {gateway.RequireSource, true, "127.0.0.1", schemas.CodeIdentityRequired},
		"both, both":               {gateway.RequireBoth, true, "127.0.0.9", schemas.CodeAllowed},
		"both, source":             {gateway.RequireBoth, false, "127.0.0.9", schemas.CodeIdentityRequired},
		"both, token":              {gateway.RequireBoth, true, "127.0.0.1", schemas.CodeIdentityRequired},
		"H02_TokenOfAnother":       {gateway.RequireAny, true, "other", schemas.CodeIdentityMismatch},
		"H02_SourceOfNoneThatRuns": {gateway.RequireAny, true, "ended", schemas.CodeUnknownSandbox},
	} {
		t.Run(name, func(t *testing.T) {
			sources := &atLoopback{}
			w := newWorld(t, func(c *gateway.Config, d *gateway.Deps) { c.Identity.Require, d.Sources = tt.require, sources })
			sources.id = w.box.ID
			from := "127.0.0.9"
			switch tt.from {
			case "other":
				sources.id = w.second().ID
			case "ended":
				sources.id = "sb-zzzzzz"
			default:
				from = tt.from
			}
			authority := fmt.Sprint("api.test:", w.plain.port)
			field := ""
			if tt.token {
				field = auth(w.box)
			}
			resp, body := exchange(t, dialFrom(t, from, w.g.ProxyAddr()), "GET", "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\n"+field+"\r\n")
			if tt.code == schemas.CodeAllowed {
				if resp.StatusCode != 200 {
					t.Error(resp.Status, body)
				}
				return
			}
			w.denied(resp, body, tt.code.Info().Status, tt.code)
		})
	}
}
