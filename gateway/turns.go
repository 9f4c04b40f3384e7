package gateway

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// turns keeps one sandbox from starving another. While the gateway has more
// requests under way than it can work on at once, and more than one sandbox asks,
// each may have its share of them under way, and further ones wait for a turn of
// their own sandbox. One sandbox alone never waits.
//
// A request that waits for its upstream or its client needs no processor, so a
// turn that lasts longer than turnLasts no longer counts: nobody can hold the
// others up by being slow.
type turns struct {
	mu       sync.Mutex
	limit    int // of turns under way
	total    int
	active   int // sandboxes with a turn under way or waiting
	queues   map[string]*queue
	ring     []*queue // those with somebody waiting, the next first
	sweeping bool
}

// queue is one sandbox's.
type queue struct {
	id      string
	under   int       // way
	idle    time.Time // since when nothing is under way or waiting
	begun   []*turn   // under way, the oldest first; ended ones stay until they are the oldest
	waiting []*turn
}

type turn struct {
	q     *queue
	since time.Time
	ended bool
	ready chan struct{}
}

// turnLasts is how long a turn counts, about what a request costs when the
// gateway is at its limit.
const turnLasts = 2 * time.Millisecond

// requestsAtOnce is Limits.RequestsAtOnce, or its default.
func (l *Limits) requestsAtOnce() int {
	if l.RequestsAtOnce > 0 {
		return l.RequestsAtOnce
	}
	return 2 * runtime.GOMAXPROCS(0)
}

// staysFor is how long a sandbox that asks one thing after the other keeps its
// share between two: without it everybody else would be let in at each pause.
const staysFor = 100 * time.Millisecond

func newTurns(limit int) *turns {
	return &turns{limit: limit, queues: map[string]*queue{}}
}

// take waits for a turn of the sandbox. It does not wait for long: turns end by
// themselves.
func (t *turns) take(id string) *turn {
	t.mu.Lock()
	q := t.queues[id]
	if q == nil {
		q = &queue{id: id}
		t.queues[id] = q
		if t.active++; t.active > 1 {
			t.watch()
		}
	}
	n := &turn{q: q}
	if len(q.waiting) == 0 && t.admits(q) {
		t.begin(n)
		t.mu.Unlock()
		return n
	}
	n.ready = make(chan struct{})
	q.waiting = append(q.waiting, n)
	if len(q.waiting) == 1 {
		t.ring = append(t.ring, q)
	}
	t.watch()
	t.mu.Unlock()
	<-n.ready
	return n
}

// watch sweeps as long as turns matter. The caller holds the lock.
func (t *turns) watch() {
	if !t.sweeping {
		t.sweeping = true
		go t.sweep()
	}
}

// admits tells whether a sandbox may have one more under way. The caller holds
// the lock.
func (t *turns) admits(q *queue) bool {
	return t.active == 1 || t.total < t.limit || q.under < max(1, t.limit/t.active)
}

func (t *turns) begin(n *turn) {
	n.since = time.Now()
	n.q.under++
	n.q.begun = append(n.q.begun, n)
	t.total++
	if len(n.q.begun) > 2*n.q.under+64 { // a long one is in front of many that ended
		n.q.begun = slices.DeleteFunc(n.q.begun, func(o *turn) bool { return o.ended })
	}
}

// give ends a turn; it may be called again.
func (t *turns) give(n *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end(n)
	t.next()
}

// end takes a turn out of the count. The caller holds the lock.
func (t *turns) end(n *turn) {
	if n.ended {
		return
	}
	n.ended = true
	q := n.q
	q.under--
	t.total--
	for len(q.begun) > 0 && q.begun[0].ended {
		q.begun[0] = nil
		q.begun = q.begun[1:]
	}
	if q.under == 0 && len(q.waiting) == 0 {
		q.idle = time.Now()
	}
}

// next lets those begin that may, the sandboxes in turn. The caller holds the
// lock.
func (t *turns) next() {
	for passed := 0; passed < len(t.ring); {
		q := t.ring[0]
		t.ring = t.ring[1:]
		if !t.admits(q) {
			t.ring = append(t.ring, q)
			passed++
			continue
		}
		passed = 0
		n := q.waiting[0]
		q.waiting[0] = nil
		if q.waiting = q.waiting[1:]; len(q.waiting) > 0 {
			t.ring = append(t.ring, q)
		}
		t.begin(n)
		close(n.ready)
	}
}

// sweep ends turns that have lasted and forgets sandboxes that ask no more, as
// long as there are several or somebody waits.
func (t *turns) sweep() {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for now := range tick.C {
		t.mu.Lock()
		for _, q := range t.queues {
			for len(q.begun) > 0 && now.Sub(q.begun[0].since) > turnLasts {
				t.end(q.begun[0])
			}
			if q.under == 0 && len(q.waiting) == 0 && now.Sub(q.idle) > staysFor {
				delete(t.queues, q.id)
				t.active--
			}
		}
		t.next()
		if len(t.ring) == 0 && t.active <= 1 {
			t.sweeping = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}
