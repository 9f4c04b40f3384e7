package audit_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/openshell-policy/openshell/audit"
)

// BenchmarkAppend is the cost of a record that a request waits for.
func BenchmarkAppend(b *testing.B) {
	for _, mode := range []audit.Mode{audit.Bounded, audit.Strict} {
		b.Run(string(mode), func(b *testing.B) {
			l, err := audit.Open(filepath.Join(b.TempDir(), "a"), audit.Options{Mode: mode})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(context.Background(), sample("/repos/org/app")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
