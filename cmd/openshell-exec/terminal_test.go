package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a sandbox on a terminal of its own.
type terminal struct {
	t      *testing.T
	master *os.File
	mu     sync.Mutex
	seen   bytes.Buffer
	from   int // what was seen before is not looked at
	done   chan error
}

func (w *world) terminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	tm := &terminal{t: t, master: os.NewFile(uintptr(fd), "ptmx"), done: make(chan error, 1)}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	w.own(name)
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd := w.command(t.Context(), args...)
	cmd.Env = append(cmd.Env, "TERM=xterm", "PS1=$ ")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setpgid, cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = false, true, true
	cmd.Cancel = func() error { return cmd.Process.Kill() }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go tm.read()
	go func() { tm.done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or should
		_ = tm.master.Close()
	})
	return tm
}

func (tm *terminal) read() {
	buf := make([]byte, 4096)
	for {
		n, err := tm.master.Read(buf)
		tm.mu.Lock()
		tm.seen.Write(buf[:n])
		tm.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (tm *terminal) text() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.seen.String()[tm.from:]
}

// keys sends keys, and looks only at what comes afterwards.
func (tm *terminal) keys(s string) {
	tm.t.Helper()
	tm.mu.Lock()
	tm.from = tm.seen.Len()
	tm.mu.Unlock()
	if _, err := tm.master.WriteString(s); err != nil {
		tm.t.Fatal(err)
	}
}

// sees waits for text on the terminal.
func (tm *terminal) sees(want string) {
	tm.t.Helper()
	defer func() {
		if tm.t.Failed() {
			tm.t.Logf("on the terminal:\n%q", tm.text())
		}
	}()
	until(tm.t, fmt.Sprintf("%q on the terminal", want), func() bool { return strings.Contains(tm.text(), want) })
}

// ends waits for the end of the sandbox.
func (tm *terminal) ends(status int) {
	tm.t.Helper()
	err := <-tm.done
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	}
	if got != status {
		tm.t.Errorf("status %d, want %d\n%s", got, status, tm.text())
	}
}

func TestTerminal(t *testing.T) {
	for _, m := range modes() {
		t.Run("K32 own terminal/"+m.name, func(t *testing.T) {
			w := furnished(t, m, tools)
			tm := w.terminal(t, "sh")
			tm.keys("echo to-$((40+2)) > /dev/tty; tty\n")
			tm.sees("to-42")
			tm.sees("/dev/pts/")
			tm.keys("python3 -c 'import os; m,s=os.openpty(); print(\"another\", os.ttyname(s)); os.write(s, b\"x\"); os.read(m, 1)'; echo st=$?\n")
			tm.sees("another /dev/pts/")
			tm.sees("st=0")
			// Who has no terminal gets none, not the supervisor's.
			tm.keys("setsid -w sh -c ': < /dev/tty'; echo st=$?\n")
			tm.sees("No such device")
			tm.keys("exit 3\n")
			tm.ends(3)
		})
		t.Run("interrupt and job control/"+m.name, func(t *testing.T) {
			w := furnished(t, m, tools)
			tm := w.terminal(t, "bash", "--norc", "-i")
			tm.keys("sleep 300\n")
			until(t, "sleep runs", func() bool { return len(childrenNamed("sleep", w.work)) > 0 })
			tm.keys("\x03")
			tm.sees("$ ")
			tm.keys("echo s=$?\n")
			tm.sees("s=130")
			tm.keys("sleep 301; echo stopped-$?\n")
			until(t, "sleep runs again", func() bool { return len(childrenNamed("sleep", w.work)) > 0 })
			tm.keys("\x1a")
			tm.sees("Stopped")
			tm.keys("bg; jobs\n")
			tm.sees("Running")
			tm.keys("kill %1; fg; echo fg=$?\n")
			tm.sees("fg=")
			tm.keys("exit 0\n")
			tm.ends(0)
		})
		t.Run("tmux/"+m.name, func(t *testing.T) {
			_, err := exec.LookPath("tmux")
			need(t, err, "tmux")
			w := furnished(t, m, tools)
			w.env = append(w.env, "TMUX_TMPDIR="+w.work, "SHELL=/bin/sh")
			tm := w.terminal(t, "sh")
			tm.keys("tmux -f /dev/null new-session 'cat a.txt; cat .env; read x'\n")
			tm.sees("hello")
			tm.sees("Permission denied")
			tm.keys("\n")
			tm.sees("[exited]")
			tm.keys("exit 0\n")
			tm.ends(0)
		})
		t.Run("vim/"+m.name, func(t *testing.T) {
			_, err := exec.LookPath("vim")
			need(t, err, "vim")
			w := newWorld(t, m, tools)
			w.file("a.txt", "hello\n", 0o644)
			w.file(".env", "SECRET\n", 0o600)
			tm := w.terminal(t, "vim", "-u", "NONE", "-n", "a.txt")
			tm.sees("hello")
			tm.keys("ggcwedited\x1b:w\r")
			tm.sees("written")
			tm.keys(":w! .env\r")
			tm.sees("E212")
			tm.keys("\r:q!\r")
			tm.ends(0)
			if text, err := os.ReadFile(w.work + "/a.txt"); err != nil || !strings.HasPrefix(string(text), "edited") {
				t.Errorf("%q, %v", text, err)
			}
		})
	}
}

// childrenNamed are the processes of a name that work in a folder.
func childrenNamed(name, dir string) (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		comm, _ := os.ReadFile("/proc/" + e.Name() + "/comm")
		cwd, _ := os.Readlink("/proc/" + e.Name() + "/cwd")
		if strings.TrimSpace(string(comm)) == name && cwd == dir {
			pids = append(pids, e.Name())
		}
	}
	return pids
}
