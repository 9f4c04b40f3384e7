package none_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/none"
)

func TestStart(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken")
	if err := os.WriteFile(broken, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args   []string
		start  int // status of the StartError; 0 none
		status int
	}{
		"succeeds":        {[]string{"true"}, 0, 0},
		"fails":           {[]string{"sh", "-c", "exit 9"}, 0, 9},
		"by signal":       {[]string{"sh", "-c", "kill -9 $$"}, 0, 137},
		"not found":       {[]string{"no-such-command-here"}, 127, 0},
		"no such path":    {[]string{"./no-such-file"}, 127, 0},
		"not executable":  {[]string{plain}, 126, 0},
		"no program":      {[]string{broken}, 126, 0},
		"folder":          {[]string{t.TempDir()}, 126, 0},
		"sees its values": {[]string{"sh", "-c", `test "$X" = y`}, 0, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := none.Runtime{}.Start(context.Background(), sandboxctl.Spec{ID: "sb-a1b2c3", Args: test.args, Env: []string{"X=y", "PATH=" + os.Getenv("PATH")}})
			var start *sandboxctl.StartError
			if errors.As(err, &start) != (test.start != 0) || start != nil && start.Status != test.start {
				t.Fatalf("got %v, want status %d", err, test.start)
			}
			if err != nil {
				return
			}
			if status, err := p.Wait(); err != nil || status != test.status {
				t.Errorf("got %d, %v, want %d", status, err, test.status)
			}
		})
	}
}
