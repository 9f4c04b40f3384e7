package gateway_test

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
)

// Draining: what is under way ends, what is idle is closed, what hangs is cut.

func TestDrainIsBounded(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.DrainTimeout = 300 * time.Millisecond }))
	w.origin.handle(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	idle := w.tunnel(w.api(), "api.test")
	stuck := w.tunnel(w.api(), "api.test")
	_, _ = io.WriteString(stuck, w.get("/x"))
	silent := w.dial()
	w.connect(silent, w.api())
	w.wait(func() bool { return w.origin.requests.Load() == 1 })
	w.stop()
	for _, c := range []io.Reader{idle, stuck, silent} {
		_, _ = io.Copy(io.Discard, c) // ends, or the connection's deadline fails the test
	}
	w.wait(func() bool { return w.g.Ready().Draining })
}

func TestReadinessComesBeforeDraining(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.DrainDelay = 500 * time.Millisecond }))
	tc := w.tunnel(w.api(), "api.test")
	w.stop()
	w.wait(func() bool { r := w.g.Ready(); return r.Draining && !r.Ready })
	if resp, _ := exchange(t, w.tunnel(w.api(), "api.test"), "GET", w.get("/x")); resp.StatusCode != 200 {
		t.Errorf("a new connection during the delay: %s", resp.Status)
	}
	_, _ = io.WriteString(tc, w.get("/x"))
	if resp, _ := readResponse(t, bufio.NewReader(tc), "GET"); resp.StatusCode != 200 {
		t.Errorf("an open tunnel during the delay: %s", resp.Status)
	}
}
