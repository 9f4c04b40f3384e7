package main_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// started is a sandbox whose shell takes lines.
type started struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Writer
	out string // file
}

func (w *world) start(t *testing.T) *started {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	s := &started{t: t, cmd: w.command(ctx, "sh"), out: filepath.Join(w.dir, "out")}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.in = in
	out, err := os.Create(s.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = s.cmd.Wait()
	})
	return s
}

// send gives the shell a line.
func (s *started) send(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// output is everything so far.
func (s *started) output() string {
	out, _ := os.ReadFile(s.out) // empty at first
	return string(out)
}

// do runs a line until its output ends with want.
func (s *started) do(line, want string) {
	s.t.Helper()
	before, _ := os.ReadFile(s.out)
	for range 60 {
		if _, err := io.WriteString(s.in, line+"\n"); err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if now, err := os.ReadFile(s.out); err == nil && strings.Contains(string(now[len(before):]), want) {
			return
		}
	}
	now, _ := os.ReadFile(s.out)
	s.t.Errorf("%s: want %q, got:\n%s", line, want, now[len(before):])
}

// R05, R06, R08: a policy file that changes is in force at the next open; one that
// does not compile changes nothing.
func TestReload(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			w.file("cert.pem", "certificate\n", 0o644)
			s := w.start(t)
			s.do("cat cert.pem", "certificate")
			w.policy(strings.Replace(plain, `"**/.env"`, `"**/.env", "**/*.pem"`, 1))
			s.do("cat cert.pem", "Permission denied")
			w.policy("\n  filesystem: {writable: 7}")
			s.do("cat cert.pem", "policy not changed")
			s.do("cat cert.pem", "Permission denied")
			w.policy(plain)
			s.do("cat cert.pem", "certificate")
			w.policy(strings.Replace(plain, `"WORK/**", `, ``, 1))
			s.do("echo x > new", "Permission denied")
		})
	}
}

// K29: when the supervisor is killed nothing runs that was not judged, and what
// runs is ended.
func TestSupervisorKilled(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			s := w.start(t)
			s.do("sleep 300 & echo $! > pid; cat pid", "\n")
			text, err := os.ReadFile(filepath.Join(w.work, "pid"))
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			for range 100 {
				if syscall.Kill(pid, 0) != nil {
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Errorf("process %d of the sandbox outlives its supervisor", pid)
		})
	}
}

func TestStatus(t *testing.T) {
	m := modes()[0]
	tests := []struct {
		name   string
		args   []string
		status int
		out    string
	}{
		{"passed through", []string{"sh", "-c", "exit 2"}, 2, ""},
		{"signal", []string{"sh", "-c", "kill -TERM $$"}, 143, ""},
		{"not found", []string{"openshell-no-such-program"}, 127, "not found"},
		{"not executable", []string{"WORK/plain"}, 126, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			w.file("plain", "text\n", 0o644)
			for i := range test.args {
				test.args[i] = w.expand(test.args[i])
			}
			w.run(test.args...).expect(t, test.status, test.out)
		})
	}
	t.Run("entry point that is blocked", func(t *testing.T) {
		w := newWorld(t, m, blocking)
		w.run(filepath.Join(w.bin, "win"), "y", "x").expect(t, 126, "blocked_command")
		w.expectDenial(schemas.CodeBlockedCommand)
	})
}

// K15: a descriptor that is held stays open under a new policy, and the name is
// blocked all the same.
func TestHeldDescriptor(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			w.file("cert.pem", "certificate\n", 0o644)
			s := w.start(t)
			s.do("exec 7< cert.pem; echo held", "held")
			w.policy(strings.Replace(plain, `"**/.env"`, `"**/.env", "**/*.pem"`, 1))
			s.do("cat cert.pem", "Permission denied")
			s.do("cat <&7", "certificate")
			s.do("cat /dev/fd/7 7<&7", "Permission denied")
		})
	}
}

// R09: while policies change as fast as they can, each decision is of one of them.
func TestReloadsMeanwhile(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			w.file("a.txt", "hello\n", 0o644)
			w.file(".env", "SECRET\n", 0o600)
			other := strings.Replace(plain, `"**/.env"`, `"**/.env", "**/*.pem"`, 1)
			s := w.start(t)
			s.do("cat a.txt", "hello")
			s.send("BIN=" + w.bin + "; $BIN/openload 16 400 a.txt .env; echo load-$?")
			for i := range 20 {
				w.policy([]string{plain, other}[i%2])
				_ = s.cmd.Process.Signal(syscall.SIGHUP)
			}
			until(t, "the load ended", func() bool { return strings.Contains(s.output(), "load-") })
			if !strings.Contains(s.output(), "opened 6400 refused 6400 wrong 0") {
				t.Error(s.output())
			}
			for _, r := range w.denials() {
				if r.Result.Revision == "" || r.Bundles["openshell"].Revision != r.Result.Revision {
					t.Errorf("revisions %q and %q", r.Result.Revision, r.Bundles["openshell"].Revision)
				}
			}
		})
	}
}
