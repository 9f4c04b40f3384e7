package gateway_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkFairness shows what one sandbox leaves to another: with 128
// connections of the first at saturation, the p99 of one connection of the second
// over its p99 alone, and the share of requests that 16 of the second get.
//
//	go test -bench Fairness -benchtime 1x -run - ./gateway
func BenchmarkFairness(b *testing.B) {
	w := benchWorld(b)
	greedy := w.clients(b, w.g.ProxyAddr(), w.roots, 128)
	var modest []*benchClient
	w.as(w.second(), func() { modest = w.clients(b, w.g.ProxyAddr(), w.roots, 16) })
	for b.Loop() {
		alone := p99(b, modest[0], 1000)
		var mine, theirs atomic.Int64
		stop := load(b, greedy, &theirs)
		busy := p99(b, modest[0], 1000)
		stopModest := load(b, modest[1:], &mine)
		mine.Store(0)
		theirs.Store(0)
		time.Sleep(2 * time.Second)
		m, t := float64(mine.Load()), float64(theirs.Load())
		stopModest()
		stop()
		b.ReportMetric(alone.Seconds()*1e6, "alone-p99-us")
		b.ReportMetric(busy.Seconds()/alone.Seconds(), "p99-ratio")
		b.ReportMetric(100*m/(m+t), "%share")
	}
	b.ReportMetric(0, "ns/op")
}

// load has clients ask without pause until the returned function is called.
func load(b *testing.B, clients []*benchClient, n *atomic.Int64) (stop func()) {
	var done atomic.Bool
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			for !done.Load() {
				if err := c.do(); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	return func() { done.Store(true); wg.Wait() }
}

func p99(b *testing.B, c *benchClient, n int) time.Duration {
	took := make([]time.Duration, n)
	for i := range took {
		begun := time.Now()
		if err := c.do(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(begun)
	}
	slices.Sort(took)
	return took[n*99/100]
}
