package audit_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
)

// manyRecords is how many the log holds that is read.
const manyRecords = 200_000

// written makes a log whose segments are compressed.
func written(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "log")
	l, err := audit.Open(dir, audit.Options{Mode: audit.Bounded, SegmentBytes: 32 << 20})
	if err != nil {
		b.Fatal(err)
	}
	s := newSource(7)
	for range manyRecords {
		if err := l.Append(context.Background(), s.next()); err != nil {
			b.Fatal(err)
		}
	}
	for l.Depth() > 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := l.Prune(context.Background(), audit.PruneOptions{DryRun: true}); err != nil { // waits for the compression
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	return dir
}

// BenchmarkVerify is how many records are verified in a second of CPU, and what a
// record takes on disk: its part of the compressed segments, and of the tree.
func BenchmarkVerify(b *testing.B) {
	dir := written(b)
	text, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		b.Fatal(err)
	}
	key, err := audit.ParseKey(text)
	if err != nil {
		b.Fatal(err)
	}
	before, n := cpu(b), 0
	for b.Loop() {
		report, err := audit.Verify(dir, audit.VerifyOptions{Key: key})
		if err != nil || len(report.Findings) > 0 || report.Records != manyRecords {
			b.Fatalf("%+v, %v", report, err)
		}
		n += manyRecords
	}
	b.ReportMetric(float64(n)/(cpu(b)-before).Seconds(), "rec/s/core")
}

// BenchmarkSize is what a record takes on disk once its segment is closed.
func BenchmarkSize(b *testing.B) {
	dir := written(b)
	segs, err := audit.Segments(dir)
	if err != nil || len(segs) < 2 {
		b.Fatal(segs, err)
	}
	closed := float64(segs[len(segs)-1].First - 1)
	packed, plain := 0.0, 0.0
	for _, s := range segs {
		if !s.Live() {
			packed += size(b, s.Path)
		} else {
			plain = size(b, s.Path) / (manyRecords - closed)
		}
	}
	tree := 0.0
	err = filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			tree += size(b, path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		time.Sleep(0)
	}
	b.ReportMetric(plain, "B/rec-plain")
	b.ReportMetric(packed/closed, "B/rec-packed")
	b.ReportMetric(tree/manyRecords, "B/rec-tree")
	b.ReportMetric(packed/closed+tree/manyRecords, "B/rec")
	b.ReportMetric(0, "ns/op")
}

func size(b *testing.B, path string) float64 {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size())
}

// BenchmarkRead is how fast the raw lines are read.
func BenchmarkRead(b *testing.B) {
	dir := written(b)
	before, n := cpu(b), 0
	for b.Loop() {
		for _, err := range audit.Entries(dir, audit.Position{}) {
			if n++; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/(cpu(b)-before).Seconds(), "rec/s/core")
}
