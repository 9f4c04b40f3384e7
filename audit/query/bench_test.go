package query_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// benchLog makes a log of OPENSHELL_QUERY_RECORDS records (20,000 unless given)
// as a gateway writes them.
func benchLog(b *testing.B) (dir string, records int) {
	b.Helper()
	records = 20_000
	if s := os.Getenv("OPENSHELL_QUERY_RECORDS"); s != "" {
		var err error
		if records, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	dir = filepath.Join(b.TempDir(), "log")
	l, err := audit.Open(dir, audit.Options{Mode: audit.Bounded})
	if err != nil {
		b.Fatal(err)
	}
	for n := range records {
		r := record(n)
		r.Timestamp = start.Add(time.Duration(n) * time.Hour / time.Duration(records))
		if in := r.Input.Network; in != nil {
			req, err := canon.ParseRequest("GET", fmt.Sprintf("https://h%d.example.com/repos/org%d/app/contents/src/main.go?ref=main", n%50, n%7))
			if err != nil {
				b.Fatal(err)
			}
			c, err := canon.Network(req)
			if err != nil {
				b.Fatal(err)
			}
			*in = c.Readings[0]
		}
		if err := l.Append(context.Background(), r); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir, records
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkQuery reads a whole log and counts what a filter selects.
func BenchmarkQuery(b *testing.B) {
	dir, records := benchLog(b)
	for name, f := range map[string]query.Filter{
		"rare":  {Sandbox: "sb-nobody"},
		"deny":  {Decision: "deny", Host: "h7.example.com"},
		"all":   {Type: "decision"},
		"since": {Since: start.Add(54 * time.Minute), Decision: "deny"},
	} {
		b.Run(name, func(b *testing.B) {
			before, found := cpu(b), 0
			for b.Loop() {
				for _, err := range query.Events([]string{dir}, f) {
					if err != nil {
						b.Fatal(err)
					}
					found++
				}
			}
			used := (cpu(b) - before).Seconds() / float64(b.N)
			b.ReportMetric(used, "cpu-s/op")
			b.ReportMetric(used*1e6/float64(records), "cpu-s/1M")
			b.ReportMetric(float64(found)/float64(b.N), "found")
		})
	}
}

// BenchmarkStats counts from rollups.
func BenchmarkStats(b *testing.B) {
	dir, _ := benchLog(b)
	before := cpu(b)
	defer func() { b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/op") }()
	for b.Loop() {
		if _, err := query.Count([]string{dir}, query.Filter{}, query.CountOptions{Top: 10, Buckets: 60}); err != nil {
			b.Fatal(err)
		}
	}
}
