package gateway_test

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestF25_TunnelsDoNotLeak opens and closes many tunnels, ten thousand in the long
// run, and expects goroutines, descriptors and memory to be given back: a server
// per tunnel would never return.
func TestF25_TunnelsDoNotLeak(t *testing.T) {
	w := newWorld(t)
	w.inTunnel("GET", w.get("/x"))
	w.wait(func() bool { return w.g.Ready().Ready })
	before, files := runtime.NumGoroutine(), descriptors(t)
	n := soak(200, 10_000)
	more := grown(func() {
		for range n {
			c := w.dial()
			w.connect(c, w.api())
			tc := tls.Client(c, &tls.Config{ServerName: "api.test", RootCAs: w.roots})
			exchange(t, tc, "GET", w.get("/x"))
			tc.Close()
			w.records.forget() // the test's own memory
		}
		w.wait(func() bool { return descriptors(t) <= files+5 })
	})
	// What a test registers for its end, and the origin's list of requests, stay.
	if most := int64(4<<20 + n*8<<10); more > most {
		t.Errorf("%d tunnels left %d KiB", n, more>>10)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if n := runtime.NumGoroutine(); n <= before+5 {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", n, before)
		}
	}
}

// BenchmarkHeldTunnel reports what an idle inspected tunnel holds, the client's
// half of it included.
func BenchmarkHeldTunnel(b *testing.B) {
	w := newWorld(b)
	const n = 200
	var conns []net.Conn
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range n {
			tc := w.tunnel(w.api(), "api.test")
			exchange(b, tc, "GET", w.get("/x"))
			conns = append(conns, tc)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		for _, c := range conns {
			c.Close()
		}
		conns = nil
		w.wait(func() bool { return true })
	}
	held := after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse
	b.ReportMetric(float64(held)/n/1024, "KiB/tunnel")
}
