package gateway_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego"
)

// reloads is how many the soak makes: OPENSHELL_SOAK_RELOADS, 1,000 where
// OPENSHELL_SOAK is set, else fewer.
func reloads(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("OPENSHELL_SOAK_RELOADS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("OPENSHELL_SOAK_RELOADS=%q", s)
		}
		return n
	}
	if os.Getenv("OPENSHELL_SOAK") != "" {
		return 1000
	}
	return 60
}

// While policies are put in force one after the other, and bad ones are refused in
// between, no request fails, none is decided by half of one and half of another, and
// nothing is left behind.
func TestReloadsUnderLoad(t *testing.T) {
	w := newWorld(t, func(_ *gateway.Config, d *gateway.Deps) { d.Engine = gateway.OPA(rego.New(rego.Options{})) })
	left := w.policies.change("outbound[0]", func(r *testRule) { r.more = `methods: [GET], paths: ["/x/**", "/left/**"]` })
	right := w.policies.change("outbound[0]", func(r *testRule) { r.more = `methods: [GET], paths: ["/x/**", "/right/**"]` })
	w.load(left)
	revisions := map[string]string{w.g.Ready().Revision: "/left/"}
	w.load(right)
	revisions[w.g.Ready().Revision] = "/right/"

	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	var served, refused atomic.Int64
	for range 8 {
		load.Go(func() { w.hammer(ctx, t, &served, &refused) })
	}
	bundles := [][]byte{left.bundle(t), right.bundle(t)}
	n := reloads(t)
	for i := range n {
		if i%10 == 9 {
			w.compile.Store([]byte("no bundle"))
			if _, err := w.g.Reload(t.Context()); err == nil {
				t.Error("a bad bundle was taken")
			}
		}
		w.compile.Store(bundles[i%2])
		if _, err := w.g.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	load.Wait()
	if w.g.Ready().Generation < uint64(n) || served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("generation %d, %d served, %d refused", w.g.Ready().Generation, served.Load(), refused.Load())
	}
	w.unmixed(t, revisions)
	w.noneLeft(t, before)
}

// hammer asks, over kept and over fresh connections, for what both policies allow,
// and for what only one does.
func (w *world) hammer(ctx context.Context, t *testing.T, served, refused *atomic.Int64) {
	proxy := &url.URL{Scheme: "http", Host: w.g.ProxyAddr(), User: url.UserPassword(w.box.ID, w.box.Token)}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: w.roots}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	for i := 0; ctx.Err() == nil; i++ {
		path, both := []string{"/x/a", "/left/a", "/right/a"}[i%3], i%3 == 0
		resp, err := client.Get(fmt.Sprintf("https://api.test:%d%s", w.origin.port, path))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		switch {
		case err != nil, both && resp.StatusCode != 200, resp.StatusCode != 200 && resp.StatusCode != 403:
			t.Errorf("%s: %s, %v", path, resp.Status, err)
			return
		case resp.StatusCode == 200:
			served.Add(1)
		default:
			refused.Add(1)
		}
		if i%20 == 19 {
			transport.CloseIdleConnections()
		}
	}
}

// unmixed holds every record to the policy of the revision that it names.
func (w *world) unmixed(t *testing.T, revisions map[string]string) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range w.records.of("decision") {
		if r.Input.Network == nil || r.Result.Revision == "" {
			t.Fatalf("record %+v", r)
		}
		allowed := revisions[r.Result.Revision]
		if allowed == "" {
			t.Fatalf("a revision that was never in force: %s", r.Result.Revision)
		}
		path := r.Input.Network.Path
		if want := path == "/x/a" || path == allowed+"a"; r.Result.Allow != want {
			t.Errorf("%s under the policy that allows %s: %+v", path, allowed, r.Result)
		}
		seen[allowed]++
	}
	if len(seen) != 2 {
		t.Errorf("decisions by policy: %v", seen)
	}
}

// noneLeft waits for the goroutines of the load to end.
func (w *world) noneLeft(t *testing.T, before int) {
	t.Helper()
	w.origin.CloseClientConnections()
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before+10; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
