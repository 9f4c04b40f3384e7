package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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
	w.engine.add("2", w.engine.current.Load().without("p", "outbound[0]"))
	w.compile.Store("2")
	if changed, err := w.g.Reload(t.Context()); err != nil || !changed {
		t.Fatal(changed, err)
	}
	if resp, _ := exchange(t, tc, "GET", w.get("/x")); resp.StatusCode != 403 {
		t.Errorf("after the rule went: %s", resp.Status)
	}
}

func TestBadPolicyChangesNothing(t *testing.T) {
	w := newWorld(t)
	before := w.g.Ready()
	w.compile.Store("bad")
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
	w.compile.Store("1")
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
	if err := os.WriteFile(file, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) {
		d.Watch = []string{filepath.Dir(file)}
		d.Compile = func(context.Context) ([]byte, []string, error) {
			data, err := os.ReadFile(file)
			return data, nil, err
		}
	})
	w.engine.add("2", w.engine.current.Load().without("p", "outbound[0]"))
	time.Sleep(50 * time.Millisecond) // Run begins to watch
	return w, file
}

func (w *world) waitGeneration(n uint64) {
	w.tb.Helper()
	w.wait(func() bool { return w.g.Ready().Generation == n })
}

func TestWatch(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"written": func(t *testing.T, file string) { write(t, file) },
		"renamed over": func(t *testing.T, file string) {
			write(t, file+".tmp")
			if err := os.Rename(file+".tmp", file); err != nil {
				t.Fatal(err)
			}
		},
		"folder replaced": func(t *testing.T, file string) {
			dir := filepath.Dir(file)
			if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir+".new", 0o755)); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir+".new", "p.yaml"))
			if err := os.Rename(dir+".new", dir); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, file := watched(t)
			change(t, file)
			w.waitGeneration(2)
			if err := os.WriteFile(file, []byte("1"), 0o644); err != nil {
				t.Fatal(err)
			}
			w.waitGeneration(1) // still watched
		})
	}
}

func TestWatchIgnoresNeighbours(t *testing.T) {
	w, file := watched(t)
	neighbour := filepath.Join(filepath.Dir(filepath.Dir(file)), "audit.ndjson")
	w.engine.add("1", w.engine.current.Load().without("p", "ws")) // what a reload would load now
	write(t, neighbour)
	time.Sleep(150 * time.Millisecond)
	if n := w.g.Ready().Generation; n != 1 {
		t.Errorf("generation %d: a file beside the policies was taken for one", n)
	}
}

func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("2"), 0o644); err != nil {
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
	c, err := client.SetPolicy(t.Context(), w.box.ID[3:], "other")
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
