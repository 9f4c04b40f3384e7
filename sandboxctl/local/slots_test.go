//go:build linux

package local_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openshell-policy/openshell/sandboxctl/local"
)

// However many ask at once, as many get a slot as there are, and one that is given
// back is had again.
func TestSlot(t *testing.T) {
	dir := t.TempDir()
	var held, refused atomic.Int32
	var all, tried sync.WaitGroup
	tried.Add(50)
	for range 50 {
		all.Go(func() {
			release, err := local.Slot(dir, 3)
			tried.Done()
			if err != nil {
				if !strings.Contains(err.Error(), "OSP6008: 3 of 3 sandboxes running (sandbox.maxConcurrent)") {
					t.Error(err)
				}
				refused.Add(1)
				return
			}
			held.Add(1)
			tried.Wait()
			release()
		})
	}
	all.Wait()
	if held.Load() != 3 || refused.Load() != 47 {
		t.Errorf("%d held, %d refused, want 3 and 47", held.Load(), refused.Load())
	}
	release, err := local.Slot(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Slot(dir, 1); err == nil {
		t.Error("a second of one slot")
	}
	release()
}
