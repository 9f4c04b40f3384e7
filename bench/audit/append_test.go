package audit_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// cpu is what this process has used of the processor.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func open(b *testing.B, opts audit.Options) *audit.Log {
	b.Helper()
	l, err := audit.Open(filepath.Join(b.TempDir(), "log"), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	return l
}

// each round takes this long.
const round = 250 * time.Millisecond

// syncEach is what the log is compared with: a line is written and synced for
// each record.
func syncEach(b *testing.B, records []*schemas.Record) float64 {
	b.Helper()
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "each"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	n := 0
	start := time.Now()
	for ; time.Since(start) < round; n++ {
		line, err := json.Marshal(records[n%len(records)])
		if err == nil {
			_, err = f.Write(append(line, '\n'))
		}
		if err == nil {
			err = unix.Fdatasync(int(f.Fd()))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return float64(n) / time.Since(start).Seconds()
}

// appendFrom is how many records a second writers get onto the disk.
func appendFrom(b *testing.B, l *audit.Log, writers int, records []*schemas.Record) float64 {
	b.Helper()
	var done atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for w := range writers {
		wg.Go(func() {
			for i := w; time.Since(start) < round; i += writers {
				r := *records[i%len(records)]
				if err := l.Append(context.Background(), &r); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(done.Load()) / time.Since(start).Seconds()
}

// BenchmarkDurable compares strict appends by several writers with one sync for
// each record, in rounds that alternate.
func BenchmarkDurable(b *testing.B) {
	records := ring(4096)
	for _, bench := range []struct {
		name    string
		writers int
	}{{"writers=1", 1}, {"writers=64", 64}, {"writers=256", 256}} {
		b.Run(bench.name, func(b *testing.B) {
			l := open(b, audit.Options{})
			var ratios, ours, base []float64
			var used time.Duration
			for range 7 {
				base = append(base, syncEach(b, records))
				before := cpu(b)
				ours = append(ours, appendFrom(b, l, bench.writers, records))
				used += cpu(b) - before
				ratios = append(ratios, ours[len(ours)-1]/base[len(base)-1])
			}
			total := 0.0
			for _, v := range ours {
				total += v * round.Seconds()
			}
			stats := l.Stats()
			b.ReportMetric(float64(stats.Records)/float64(stats.Syncs), "rec/sync")
			b.ReportMetric(median(ratios), "ratio")
			b.ReportMetric(slices.Min(ratios), "min-ratio")
			b.ReportMetric(median(ours), "rec/s")
			b.ReportMetric(median(base), "synced-each/s")
			b.ReportMetric(used.Seconds()*1e6/total, "cpu-µs/rec")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkAppend is what a record costs its caller and the committer, in time
// and allocations. The log is bounded: nothing waits for the disk.
func BenchmarkAppend(b *testing.B) {
	for _, mode := range []audit.Mode{audit.Bounded, audit.Strict} {
		b.Run(string(mode), func(b *testing.B) {
			records := ring(4096)
			l := open(b, audit.Options{Mode: mode})
			before := cpu(b)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := l.Append(context.Background(), records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			for l.Depth() > 0 {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric((cpu(b)-before).Seconds()*1e6/float64(i), "cpu-µs/rec")
		})
	}
}

// BenchmarkPaced is the share of a core that 20,000 records a second take, with
// the tree, checkpoints, compression and counts.
func BenchmarkPaced(b *testing.B) {
	for _, mode := range []audit.Mode{audit.Bounded, audit.Strict} {
		b.Run(string(mode), func(b *testing.B) {
			const perTick, tick, lasts = 200, 10 * time.Millisecond, 4 * time.Second
			records := ring(8192)
			l := open(b, audit.Options{Mode: mode, SegmentBytes: 16 << 20})
			next := make(chan *schemas.Record, 4*perTick)
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for r := range next {
						if err := l.Append(context.Background(), r); err != nil {
							b.Error(err)
						}
					}
				})
			}
			before, start, n := cpu(b), time.Now(), 0
			for ticker := time.NewTicker(tick); time.Since(start) < lasts; <-ticker.C {
				for want := int(time.Since(start)/tick) * perTick; n < want; n++ {
					r := *records[n%len(records)]
					next <- &r
				}
			}
			close(next)
			wg.Wait()
			took := time.Since(start)
			b.ReportMetric(100*(cpu(b)-before).Seconds()/took.Seconds(), "%core")
			b.ReportMetric(float64(n)/took.Seconds(), "rec/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
