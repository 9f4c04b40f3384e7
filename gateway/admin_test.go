package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func (w *world) admin() *adminapi.Client {
	return adminapi.NewClient(w.g.AdminAddr(), w.g.AdminToken())
}

func adminStatus(t *testing.T, w *world, path string, edit func(*http.Request)) int {
	t.Helper()
	req, err := http.NewRequest("GET", "http://"+w.g.AdminAddr()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	edit(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestAdminIsGuarded(t *testing.T) {
	w := newWorld(t)
	token := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.g.AdminToken()) }
	tests := []struct {
		name, path string
		edit       func(*http.Request)
		want       int
	}{
		{"health", "/healthz", func(*http.Request) {}, 200},
		{"ready", "/readyz", func(*http.Request) {}, 200},
		{"no token", "/v1/sandboxes", func(*http.Request) {}, 401},
		{"no token for metrics", "/metrics", func(*http.Request) {}, 401},
		{"wrong token", "/v1/sandboxes", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		{"token", "/v1/sandboxes", token, 200},
		{"origin", "/v1/sandboxes", func(r *http.Request) { token(r); r.Header.Set("Origin", "http://localhost") }, 403},
		{"rebound name", "/v1/sandboxes", func(r *http.Request) { token(r); r.Host = "evil.test" }, 421},
		{"rebound name health", "/healthz", func(r *http.Request) { r.Host = "evil.test" }, 421},
	}
	for _, tt := range tests {
		if got := adminStatus(t, w, tt.path, tt.edit); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
	info, err := os.Stat(w.cfg.AdminTokenFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token file: %v, %v", info, err)
	}
}

func TestAdminSandboxes(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.admin(), t.Context()
	s, err := c.Create(ctx, adminapi.CreateSandbox{Agent: "codex", Policy: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Token == "" || s.Proxy != w.g.ProxyAddr() || s.CAPEM == "" || !strings.HasPrefix(s.ProxyURL(), "http://sb-") {
		t.Errorf("created %+v", s)
	}
	if _, err := c.Create(ctx, adminapi.CreateSandbox{Policy: "none"}); statusOf(err) != 404 {
		t.Errorf("unknown policy: %v", err)
	}
	list, err := c.Sandboxes(ctx, false)
	if err != nil || len(list.Sandboxes) != 2 || list.Sandboxes[1].ID != s.ID {
		t.Errorf("list %+v, %v", list, err)
	}
	code := 7
	if got, err := c.End(ctx, s.ID, adminapi.StatusFailed, &code); err != nil || *got.ExitCode != 7 {
		t.Errorf("end %+v, %v", got, err)
	}
	if _, err := c.End(ctx, s.ID, adminapi.StatusStopped, nil); statusOf(err) != 409 {
		t.Errorf("end again: %v", err)
	}
	if _, err := c.Get(ctx, "sb-zzzzzz"); statusOf(err) != 404 {
		t.Errorf("get: %v", err)
	}
	if list, _ := c.Sandboxes(ctx, true); len(list.Sandboxes) != 2 {
		t.Errorf("all: %+v", list)
	}
	if r, err := c.Ready(ctx); err != nil || !r.Ready || r.Generation != 1 {
		t.Errorf("ready %+v, %v", r, err)
	}
}

func statusOf(err error) int {
	var e *adminapi.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

func TestAdminPolicies(t *testing.T) {
	var stored []byte
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Source = func(string) (string, bool) { return "kind: SandboxPolicy", true }
		d.Apply = func(_ context.Context, _ string, yaml []byte) (adminapi.Applied, error) {
			if string(yaml) == "bad" {
				return adminapi.Applied{}, &adminapi.Error{Code: "invalid_policy", Message: "does not compile", Detail: "p.yaml:1:1"}
			}
			stored = yaml
			return adminapi.Applied{Policies: []string{"p"}, Changes: []string{"+ 1 host"}}, nil
		}
	})
	c, ctx := w.admin(), t.Context()
	if l, err := c.Policies(ctx); err != nil || len(l.Policies) != 2 || l.Revision != w.g.Ready().Revision {
		t.Errorf("policies %+v, %v", l, err)
	}
	if p, err := c.Policy(ctx, "p"); err != nil || p.Source == "" || len(p.Sandboxes) != 1 {
		t.Errorf("policy %+v, %v", p, err)
	}
	if a, err := c.Apply(ctx, "p.yaml", []byte("good")); err != nil || len(a.Sandboxes) != 1 || string(stored) != "good" {
		t.Errorf("apply %+v, %v", a, err)
	}
	_, err := c.Apply(ctx, "p.yaml", []byte("bad"))
	var e *adminapi.Error
	if !errors.As(err, &e) || e.Status != 422 || e.Detail == "" {
		t.Errorf("apply of a bad policy: %v", err)
	}
}

func TestAdminOnASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Listen.Admin = "unix:" + path })
	if _, err := w.admin().Sandboxes(t.Context(), false); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v, %v", info, err)
	}
}

func TestAdminIsForThisMachine(t *testing.T) {
	cfg := gateway.DefaultConfig()
	cfg.StateDir, cfg.Listen.Proxy, cfg.Listen.Admin = t.TempDir(), "127.0.0.1:0", "0.0.0.0:0"
	_, err := gateway.New(cfg, gateway.Deps{Compile: func(context.Context) ([]byte, []string, error) { return defaultPolicies(1, 2).bundle(t), nil, nil }})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("got %v", err)
	}
}

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	w.inTunnel("GET", w.get("/x"))
	w.inTunnel("GET", w.get("/none"))
	exchange(t, w.tunnel("pypi.org:443", "pypi.org"), "GET", "GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n")
	req, _ := http.NewRequest("GET", "http://"+w.g.AdminAddr()+"/metrics", nil)
	req.Header.Set("Authorization", "Bearer "+w.g.AdminToken())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	for _, want := range []string{
		"openshell_sandboxes_active 1",
		`openshell_policy_violations_total{code="path_not_allowed",kind="network",mode="enforce",policy="p"} 1`,
		`openshell_agent_actions_total{agent="claude",decision="allowed",kind="network"} 1`,
		`openshell_proxy_requests_total{decision="allowed",host="api.test",method="GET"} 1`,
		`openshell_proxy_requests_total{decision="denied",host="other",method="GET"} 1`,
		"openshell_decision_duration_seconds_count 3",
		"openshell_proxy_added_latency_seconds_count 1",
		"openshell_policy_generation 1",
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s", want)
		}
	}
}
