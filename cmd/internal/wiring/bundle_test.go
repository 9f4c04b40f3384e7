package wiring_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego/serve"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/keys"
)

func signingKey(t *testing.T) keys.Private {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := keys.FromPrivate(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signedBundle(t *testing.T, serial int64, key *keys.Private) []byte {
	t.Helper()
	r := policyset.Compile([]compiler.Source{{Name: "mine.yaml", Data: []byte(policy("mine", "{}"))}}, compiler.Options{Name: "team", Serial: serial, Sign: key})
	if r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	return r.Bundle
}

// serving runs a gateway and returns a client of it.
func serving(t *testing.T, cfg gateway.Config) *adminapi.Client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan wiring.Serving, 1), make(chan error, 1)
	go func() {
		ended <- wiring.Serve(ctx, cfg, wiring.Options{Ready: func(s wiring.Serving) { ready <- s }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case s := <-ready:
		token, err := os.ReadFile(cfg.AdminTokenFile())
		if err != nil {
			t.Fatal(err)
		}
		return adminapi.NewClient(s.Admin, strings.TrimSpace(string(token)))
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return nil
}

func readiness(t *testing.T, c *adminapi.Client, what string, ok func(adminapi.Readiness) bool) adminapi.Readiness {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		r, err := c.Ready(t.Context())
		if err == nil && ok(r) {
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("not so after half a minute: %s: %+v, %+v, %v", what, r, r.Source, err)
		}
	}
}

// A gateway whose bundles come from a server starts without it and is not ready,
// then follows it, and says what it refuses.
func TestBundlesFromAServer(t *testing.T) {
	key, stranger := signingKey(t), signingKey(t)
	var bundles serve.Bundles
	server := httptest.NewServer(http.StripPrefix("/bundles/", &bundles))
	defer server.Close()
	cfg := config(t)
	public := filepath.Join(cfg.StateDir, "team.pub")
	if err := os.WriteFile(public, []byte(key.Public.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Bundle = gateway.BundleSource{URL: server.URL + "/bundles/team", Keys: []string{public}, Poll: 20 * time.Millisecond}
	c := serving(t, cfg)
	readiness(t, c, "it waits", func(r adminapi.Readiness) bool {
		return !r.Ready && r.Source != nil && r.Source.FaultCode == "OSP5012" && !r.Source.Unsigned
	})
	bundles.Set("team", signedBundle(t, 3, &key))
	first := readiness(t, c, "it has one", func(r adminapi.Readiness) bool { return r.Ready && r.Source.Serial == 3 && r.Source.Fault == "" })
	if first.Source.KeyID != key.ID || first.Source.Name != "team" || first.Source.Activated == nil {
		t.Errorf("got %+v", first.Source)
	}
	bundles.Set("team", signedBundle(t, 9, &stranger))
	r := readiness(t, c, "it refuses a stranger's", func(r adminapi.Readiness) bool { return r.Source.FaultCode == "OSP5006" })
	if !r.Ready || r.Generation != first.Generation || r.Source.Serial != 3 || !strings.Contains(r.Refused, "OSP5006") {
		t.Errorf("got %+v, %+v", r, r.Source)
	}
	if l, err := c.Policies(t.Context()); err != nil || len(l.Policies) != 1 {
		t.Errorf("policies %+v, %v", l, err)
	}
	if _, err := c.Apply(t.Context(), "x.yaml", []byte(policy("x", "{}"))); err == nil {
		t.Error("a policy was applied beside a signed bundle")
	}
}

// A bundle file is followed by renames, and an unsigned one is taken only where that
// is said, and then it is shown.
func TestBundlesFromAFile(t *testing.T) {
	cfg := config(t)
	file := filepath.Join(t.TempDir(), "bundle.tar.gz")
	put := func(serial int64) {
		if err := os.WriteFile(file+".new", signedBundle(t, serial, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	put(1)
	cfg.Bundle = gateway.BundleSource{File: file}
	if err := wiring.Serve(t.Context(), cfg, wiring.Options{}); err == nil || !strings.Contains(err.Error(), "insecure_unsigned") {
		t.Errorf("without keys: %v", err)
	}
	cfg.Bundle.InsecureUnsigned = true
	c := serving(t, cfg)
	readiness(t, c, "it is shown", func(r adminapi.Readiness) bool { return r.Ready && r.Source.Unsigned && r.Source.Serial == 1 })
	put(2)
	readiness(t, c, "it follows", func(r adminapi.Readiness) bool { return r.Source.Serial == 2 && r.Refused == "" })
	put(1)
	r := readiness(t, c, "it does not go back", func(r adminapi.Readiness) bool { return r.Source.FaultCode == "OSP5008" })
	if r.Source.Serial != 2 || !r.Ready {
		t.Errorf("got %+v", r)
	}
}
