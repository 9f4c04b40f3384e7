package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// Whatever comes at once is answered, each with its own answer.
func TestStorms(t *testing.T) {
	n, err := strconv.Atoi(rounds(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modes() {
		t.Run("K26 opens of many threads/"+m.name, func(t *testing.T) {
			w := furnished(t, m, plain)
			per := max(n/8, 1)
			w.sh(fmt.Sprintf("exec BIN/openload 64 %d WORK/a.txt WORK/.env", per)).
				expect(t, 0, fmt.Sprintf("opened %d refused %d wrong 0", 64*per, 64*per))
		})
		t.Run("K27 signals while files are made/"+m.name, func(t *testing.T) {
			w := furnished(t, m, plain)
			w.sh(fmt.Sprintf("exec BIN/signals %d WORK", n*5)).expect(t, 0, fmt.Sprintf("made %d failed 0 signals many", n*5))
		})
		t.Run("R03 executions/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, blocking)
			score := w.file("score", "", 0o644)
			half := 16 * max(n/16, 1)
			w.sh(fmt.Sprintf("exec BIN/execstorm 16 %d BIN/win WORK/score", 2*max(n/16, 1))).
				expect(t, 0, fmt.Sprintf("ran %d refused %d wrong 0", half, half))
			if won, err := os.ReadFile(score); err != nil || len(won) > 0 {
				t.Errorf("the blocked program ran %d times, %v", len(won), err)
			}
			denied := 0
			for _, r := range w.denials() {
				if r.Custom.Code == schemas.CodeBlockedCommand {
					denied++
				}
			}
			if denied != half {
				t.Errorf("%d records of denials, want %d", denied, half)
			}
		})
		t.Run("R03 supervisor killed meanwhile/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, blocking)
			score := w.file("score", "", 0o644)
			cmd := w.command(t.Context(), filepath.Join(w.bin, "execstorm"), "16", "100000", filepath.Join(w.bin, "win"), score)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			until(t, "executions are refused", func() bool { return len(w.denials()) > 10 })
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed
			until(t, "nothing is left", func() bool { return len(processesOf(w.bin)) == 0 })
			if won, err := os.ReadFile(score); err != nil || len(won) > 0 {
				t.Errorf("the blocked program ran %d times, %v", len(won), err)
			}
		})
	}
}

// processesOf are the processes whose executable lies in a folder.
func processesOf(dir string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, l := range links {
		exe, err := os.Readlink(l)
		if err != nil || filepath.Dir(exe) != dir {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(l))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
