package audit_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/openshell-policy/openshell/audit"
)

// BenchmarkAppend is the cost of a record that a request waits for.
func BenchmarkAppend(b *testing.B) {
	for name, sync := range map[string]bool{"written": false, "synced": true} {
		b.Run(name, func(b *testing.B) {
			l, err := audit.Open(filepath.Join(b.TempDir(), "a"), audit.Options{Sync: sync})
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
