package wiring_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func config(t *testing.T) gateway.Config {
	t.Helper()
	cfg := gateway.DefaultConfig()
	cfg.StateDir = t.TempDir()
	cfg.Listen = gateway.Listen{Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	return cfg
}

// One gateway serves a state folder, says where it is, and ends when idle.
func TestServe(t *testing.T) {
	cfg := config(t)
	ready, ended := make(chan wiring.Serving, 1), make(chan error, 1)
	go func() {
		ended <- wiring.Serve(context.Background(), cfg, wiring.Options{
			UntilIdle: time.Second, Ready: func(s wiring.Serving) { ready <- s },
		})
	}()
	var s wiring.Serving
	select {
	case s = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	if err := wiring.Serve(context.Background(), cfg, wiring.Options{}); !errors.Is(err, wiring.ErrInUse) {
		t.Errorf("a second gateway: %v", err)
	}
	if found, err := wiring.ReadServing(cfg.StateDir); err != nil || found != s || s.PID != os.Getpid() {
		t.Errorf("found %+v, %v, want %+v", found, err, s)
	}
	token, err := os.ReadFile(cfg.AdminTokenFile())
	if err != nil {
		t.Fatal(err)
	}
	c := adminapi.NewClient(s.Admin, string(token[:len(token)-1]))
	if l, err := c.Policies(context.Background()); err != nil || len(l.Policies) == 0 {
		t.Errorf("policies: %+v, %v", l, err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end when idle")
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "gateway.yaml")
	text := "policies: [policies, /abs]\nstate_dir: state\nupstream_roots: roots.pem\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := wiring.LoadConfig(file, "")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		cfg.Policies[0]: filepath.Join(dir, "policies"), cfg.Policies[1]: "/abs", cfg.StateDir: filepath.Join(dir, "state"),
		cfg.UpstreamRoots: filepath.Join(dir, "roots.pem"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	t.Setenv("OPENSHELL_STATE_DIR", "/from/env")
	if cfg, err := wiring.LoadConfig(file, ""); err != nil || cfg.StateDir != "/from/env" {
		t.Errorf("the variable: %q, %v", cfg.StateDir, err)
	}
	if cfg, err := wiring.LoadConfig(file, "/given"); err != nil || cfg.StateDir != "/given" {
		t.Errorf("given: %q, %v", cfg.StateDir, err)
	}
	t.Setenv("OPENSHELL_STATE_DIR", "")
	t.Setenv("XDG_STATE_HOME", "/xdg")
	if cfg, err := wiring.LoadConfig("", ""); err != nil || cfg.StateDir != "/xdg/openshell" {
		t.Errorf("nothing said: %q, %v", cfg.StateDir, err)
	}
	if _, err := wiring.LoadConfig(filepath.Join(dir, "nowhere"), ""); err == nil {
		t.Error("no error for a file that is not there")
	}
}
