package gateway

import (
	"sync"
	"testing"
	"time"
)

// takeAsync reports on the channel when the sandbox got its turn.
func takeAsync(ts *turns, id string, got chan<- string) *sync.WaitGroup {
	var wg sync.WaitGroup
	wg.Go(func() {
		ts.take(id)
		got <- id
	})
	return &wg
}

// hold keeps turns from ending by themselves.
func holdTurns(ts *turns) {
	ts.mu.Lock()
	ts.sweeping = true
	ts.mu.Unlock()
}

func waiting(ts *turns, id string) int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if q := ts.queues[id]; q != nil {
		return len(q.waiting)
	}
	return 0
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("timed out")
		}
	}
}

func TestOneSandboxAloneNeverWaits(t *testing.T) {
	ts := newTurns(2)
	for range 100 {
		ts.take("a")
	}
	if ts.total != 100 || len(ts.ring) != 0 {
		t.Errorf("%d under way, %d sandboxes wait", ts.total, len(ts.ring))
	}
}

// A sandbox that begins while another has everything under way gets its share at
// once, and what waits is let in by turns.
func TestSandboxesShareTurns(t *testing.T) {
	ts := newTurns(4)
	holdTurns(ts)
	var a []*turn
	for range 20 {
		a = append(a, ts.take("a"))
	}
	b1, b2 := ts.take("b"), ts.take("b") // its share of 4, at once
	got := make(chan string, 100)
	for range 3 {
		takeAsync(ts, "b", got)
	}
	until(t, func() bool { return waiting(ts, "b") == 3 })
	for range 5 {
		takeAsync(ts, "a", got)
	}
	until(t, func() bool { return waiting(ts, "a") == 5 })
	ts.give(a[0])
	if len(got) != 0 {
		t.Errorf("%s began, and 21 are under way where 4 may be", <-got)
	}
	ts.give(b1)
	if id := <-got; id != "b" {
		t.Errorf("%s began for b's turn that ended", id)
	}
	ts.give(b2)
	<-got
	for _, n := range a[1:] {
		ts.give(n)
	}
	if a, b := ts.queues["a"].under, ts.queues["b"].under; a < 2 || b < 2 || a+b > 5 {
		t.Errorf("%d and %d under way, want 2 each and at most one more", a, b)
	}
}

// A turn that lasts does not count: who waits for a slow upstream holds nobody up.
func TestTurnsEndByThemselves(t *testing.T) {
	ts := newTurns(1)
	ts.take("a") // never given back
	ts.take("b") // its share is one
	done := make(chan struct{})
	go func() {
		ts.take("b")
		ts.take("a")
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the turns of others were waited for")
	}
}

func TestTurnsLeaveNothingBehind(t *testing.T) {
	ts := newTurns(2)
	long := ts.take("a")
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c"} {
		for range 8 {
			wg.Go(func() {
				for range 200 {
					n := ts.take(id)
					ts.give(n)
					ts.give(n)
				}
			})
		}
	}
	wg.Wait()
	if n := len(long.q.begun); n > 2*8+66 {
		t.Errorf("%d turns that ended are kept behind a long one", n)
	}
	ts.give(long)
	until(t, func() bool { ts.mu.Lock(); defer ts.mu.Unlock(); return !ts.sweeping })
	if ts.total != 0 || ts.active > 1 || len(ts.queues) > 1 || len(ts.ring) != 0 {
		t.Errorf("left: %d under way, %d sandboxes, %d waiting", ts.total, len(ts.queues), len(ts.ring))
	}
}
