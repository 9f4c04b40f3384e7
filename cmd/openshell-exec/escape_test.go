package main_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// No system call leads out, or into the supervisor.
func TestEscapes(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := furnished(t, m, plain)
			w.sh(`s=$(awk '/^PPid/{print $2}' /proc/$PPID/status); BIN/escape $s WORK/.env`).expect(t, 0, "won 0\n")
		})
	}
}

// Whichever of our processes is killed, at whatever moment, nothing is left of the
// sandbox: no process of ours and none of the command's.
func TestKilledAtRandom(t *testing.T) {
	const tries = 24
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			script := `sleep 2999 & (setsid sleep 2998 &) ; sh -c 'while :; do /bin/true; cat /etc/hostname > x; done'`
			met := map[string]bool{}
			for try := range tries {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				cmd := w.command(ctx, "sh", "-c", script)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(rand.Int64N(int64(250 * time.Millisecond)))) // the moment is what is random
				victims := append(processesOf(w.bin), cmd.Process.Pid)
				victim := victims[rand.IntN(len(victims))]
				name, _ := os.ReadFile("/proc/" + strconv.Itoa(victim) + "/cmdline") // it may have ended
				met[strings.SplitN(string(name), "\x00", 2)[0]] = true
				_ = syscall.Kill(victim, syscall.SIGKILL)
				if victim != cmd.Process.Pid && filepath.Base(string(name)) != "" {
					_ = cmd.Process.Signal(syscall.SIGTERM) // what was killed may have been the self-test's
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				select {
				case <-ended:
				case <-ctx.Done():
					t.Fatalf("try %d: openshell-exec hangs after %q (%d) was killed", try, name, victim)
				}
				until(t, "nothing is left", func() bool { return len(processesOf(w.bin)) == 0 && len(processesIn(w.work)) == 0 })
				cancel()
			}
			if len(met) < 2 {
				t.Errorf("killed only %v", met)
			}
		})
	}
}

// processesIn are the processes that work in a folder.
func processesIn(dir string) (pids []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, l := range links {
		if cwd, err := os.Readlink(l); err == nil && cwd == dir {
			pids = append(pids, filepath.Base(filepath.Dir(l)))
		}
	}
	return pids
}
