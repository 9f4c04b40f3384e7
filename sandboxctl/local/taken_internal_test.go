package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTakenName(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o700); err != nil {
		t.Fatal(err)
	}
	control := ControlPath(dir)
	if err := os.WriteFile(control, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{ID: "sb-a1b2c3", Dir: dir, Policies: none{}})
	if err == nil || !strings.Contains(err.Error(), "OSP6007: sb-a1b2c3 is a sandbox already") {
		t.Errorf("got %v", err)
	}
	for _, file := range []string{control, filepath.Join(dir, "root")} {
		if _, err := os.Stat(file); err != nil {
			t.Errorf("what is there was touched: %v", err)
		}
	}
}

// none is a policy that says nothing.
type none struct{}

// Current returns it.
func (none) Current(context.Context) (Policy, error) { return Policy{}, nil }
