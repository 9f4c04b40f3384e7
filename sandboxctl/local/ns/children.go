//go:build linux

package ns

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// children are the commands that process 1 started. As process 1 it also reaps
// what they left behind.
type children struct {
	mu      sync.Mutex
	started sync.Cond
	ours    map[int]bool
	count   int // of spawns, so that a reaper without children knows when to look again
}

// spawn starts one command on the calling thread. With TTY it returns the master
// of the command's terminal.
func (c *children) spawn(req request1) (Spawned, *os.File) {
	cmd := req.command
	attr := &syscall.ProcAttr{Dir: cmd.Dir, Env: cmd.Env, Sys: &syscall.SysProcAttr{Setsid: true}}
	var master *os.File
	stdio := req.files
	if cmd.TTY {
		m, slave, err := openTerminal()
		if err != nil {
			return failed(err), nil
		}
		defer slave.Close()
		master, stdio = m, []*os.File{slave, slave, slave}
		attr.Sys.Setctty, attr.Sys.Ctty = true, 0
	}
	if len(stdio) != 3 || len(cmd.Args) == 0 {
		return failed(syscall.EINVAL), nil
	}
	for _, f := range stdio {
		attr.Files = append(attr.Files, f.Fd())
	}
	pid, err := c.fork(cmd.Path, cmd.Args, attr)
	if err == nil {
		return Spawned{PID: pid}, master
	}
	if master != nil {
		master.Close()
	}
	return failed(err), nil
}

func failed(err error) Spawned {
	s := Spawned{Error: err.Error(), Errno: int(syscall.EIO)}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		s.Errno = int(errno)
	}
	return s
}

// fork holds the lock, so that the reaper knows a command before it can end.
func (c *children) fork(path string, args []string, attr *syscall.ProcAttr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, args, attr)
	if err != nil {
		return 0, err
	}
	if c.ours == nil {
		c.ours = map[int]bool{}
	}
	c.ours[pid] = true
	c.count++
	c.wake()
	return pid, nil
}

// wake is called with the lock held.
func (c *children) wake() {
	if c.started.L == nil {
		c.started.L = &c.mu
	}
	c.started.Broadcast()
}

// reap waits for children as long as the process lives.
func (c *children) reap(ended func(Ended)) {
	seen := 0
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			seen = c.await(seen)
		case err == nil && (ws.Exited() || ws.Signaled()):
			if c.forget(pid) {
				ended(Ended{PID: pid, Status: status(ws)})
			}
		}
	}
}

// await blocks until there was another spawn.
func (c *children) await(seen int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.started.L == nil {
		c.started.L = &c.mu
	}
	for c.count == seen {
		c.started.Wait()
	}
	return c.count
}

func (c *children) forget(pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.ours[pid]
	delete(c.ours, pid)
	return was
}

// signal sends a signal to a command's process group, if it still runs.
func (c *children) signal(s signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ours[s.PID] {
		_ = unix.Kill(-s.PID, unix.Signal(s.Number))
	}
}

func status(ws unix.WaitStatus) int {
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// openTerminal makes a terminal of the sandbox's own.
func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unlock a terminal: %w", err), master.Close())
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("name a terminal: %w", err), master.Close())
	}
	slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
