//go:build linux

package ns_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
)

// Nothing is started before the thread that starts it is confined, and it is
// confined once.
func TestNothingRunsUnconfined(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	begin := func() *ns.Sandbox {
		s, err := ns.Start(ctx, config(t), ns.Options{CgroupFD: -1, Stderr: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		return s
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := begin()
	if p, err := s.Spawn(ns.Command{Path: "/bin/true", Args: []string{"true"}, Dir: "/"}, [3]*os.File{null, null, null}); err == nil {
		t.Errorf("process %d runs unconfined", p.Inner)
	}
	s = begin()
	if _, err := s.Confine(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Confine(nil); err == nil {
		t.Error("it was confined twice")
	}
}
