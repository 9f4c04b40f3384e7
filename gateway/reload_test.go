package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

func TestH08_ReloadWithAnOpenTunnel(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	w.load(w.policies.without("outbound[0]"))
	if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 403 {
		t.Errorf("after the rule went: %s", resp.Status)
	}
}

func TestBadPolicyChangesNothing(t *testing.T) {
	w := newWorld(t)
	before := w.g.Ready()
	good := w.policies
	w.compile.Store([]byte("bad"))
	if _, err := w.g.Reload(t.Context()); err == nil {
		t.Fatal("a bad policy was taken")
	}
	r := w.g.Ready()
	if !r.Ready || r.Refused == "" || r.Generation != before.Generation || r.RefusedAt == nil {
		t.Errorf("readiness %+v", r)
	}
	if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	w.put(good)
	if _, err := w.g.Reload(t.Context()); err != nil || w.g.Ready().Refused != "" {
		t.Errorf("after a good one: %v, %+v", err, w.g.Ready())
	}
}

// watched is a world whose bundle is what a file says.
func watched(t *testing.T) (*world, string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "policies", "p.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, file, 1)
	reads := new(atomic.Int64)
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Watch = []string{filepath.Dir(file)}
		d.Compile = func(context.Context) ([]byte, []string, error) {
			reads.Add(1)
			data, err := os.ReadFile(file)
			return data, nil, err
		}
	})
	w.reads = reads
	time.Sleep(50 * time.Millisecond) // Run begins to watch
	return w, file
}

func (w *world) waitGeneration(n uint64) {
	w.tb.Helper()
	w.wait(func() bool { return w.g.Ready().Generation == n })
}

func TestWatch(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"written": func(t *testing.T, file string) { write(t, file, 2) },
		"renamed over": func(t *testing.T, file string) {
			write(t, file+".tmp", 2)
			if err := os.Rename(file+".tmp", file); err != nil {
				t.Fatal(err)
			}
		},
		"folder replaced": func(t *testing.T, file string) {
			dir := filepath.Dir(file)
			if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir+".new", 0o755)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir+".new", "p.yaml"), 2)
			if err := os.Rename(dir+".new", dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, file := watched(t)
			change(t, file)
			w.waitGeneration(2)
			write(t, file, 1)
			w.waitGeneration(3) // still watched
		})
	}
}

func TestWatchIgnoresNeighbours(t *testing.T) {
	w, file := watched(t)
	neighbour := filepath.Join(filepath.Dir(filepath.Dir(file)), "audit.ndjson")
	reads := w.reads.Load()
	write(t, neighbour, 2)
	time.Sleep(150 * time.Millisecond)
	if n := w.reads.Load(); n != reads {
		t.Errorf("compiled %d times: a file beside the policies was taken for one", n-reads)
	}
}

// write makes a file one of two bundles.
func write(t *testing.T, file string, version int) {
	t.Helper()
	p := defaultPolicies(8443, 8080)
	if version == 2 {
		p = p.without("outbound[0]")
	}
	if err := os.WriteFile(file, p.bundle(t), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBindingChangesAtOnce(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	client := adminapi.NewClient(w.g.AdminAddr(), w.g.AdminToken())
	c, err := client.SetPolicy(t.Context(), w.box.ID[3:], adminapi.SetPolicy{Policy: "other"})
	if err != nil || !c.Changed || c.From != "p" || c.To != "other" || c.Sandbox != w.box.ID {
		t.Fatalf("%+v, %v", c, err)
	}
	if resp, body := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 403 || !strings.Contains(body, "host_not_in_policy") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestDrainFinishesRequests(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) { <-release; rw.Write([]byte("done")) })
	tc := w.tunnel(w.api(), "api.test")
	go func() {
		w.wait(func() bool { return w.origin.requests.Load() == 1 })
		w.stop()
		time.Sleep(100 * time.Millisecond)
		close(release)
	}()
	if resp, body := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 200 || body != "done" {
		t.Errorf("%s %q", resp.Status, body)
	}
}
