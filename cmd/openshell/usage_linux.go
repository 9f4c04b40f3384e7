package main

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// reportEvery is how often a supervisor tells the gateway what its sandbox does.
const reportEvery = 2 * time.Second

// tally counts decisions between two reports.
type tally struct {
	mu     sync.Mutex
	counts map[adminapi.ActionCount]int // by what they have in common; Count is 0
}

func (t *tally) add(r *schemas.Record) {
	if r.Custom.Type != schemas.RecordDecision || r.Input == nil || r.Result == nil {
		return
	}
	key := adminapi.ActionCount{Kind: r.Input.Kind, Allow: r.Result.Allow, Code: r.Result.Code, Mode: r.Result.Mode}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[adminapi.ActionCount]int{}
	}
	t.counts[key]++
}

// take returns the counts and begins again.
func (t *tally) take() []adminapi.ActionCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []adminapi.ActionCount
	for key, n := range maps.All(t.counts) {
		key.Count = n
		out = append(out, key)
	}
	clear(t.counts)
	return out
}

// report tells the gateway until the sandbox is done, and once more then.
func (t *tally) report(c *adminapi.Client, id string, box *local.Sandbox) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	before, at := box.Usage(), time.Now()
	for {
		done := false
		select {
		case <-box.Done():
			done = true
		case <-tick.C:
		}
		u := adminapi.Usage{Actions: t.take()}
		if !done {
			now := box.Usage()
			u.CPUCores = max(0, (now.CPU-before.CPU).Seconds()/time.Since(at).Seconds())
			u.MemoryBytes = now.MemoryBytes
			before, at = now, time.Now()
		}
		ctx, cancel := context.WithTimeout(context.Background(), reportEvery)
		_, _ = c.Report(ctx, id, u) // metrics only; the log has every decision
		cancel()
		if done {
			return
		}
	}
}
