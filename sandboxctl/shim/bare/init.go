package bare

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
)

// initName is argv[0] of a program that is executed as init. Its control socket
// is descriptor 3.
const (
	initName  = "openshell-init"
	controlFD = 3
)

// Main runs the process as a sandbox's init, or as the self-test's process, if it
// was executed as that, and does not return then.
func Main() {
	switch {
	case len(os.Args) == 0:
	case os.Args[0] == initName:
		os.Exit(runInit())
	case os.Args[0] == probeName:
		os.Exit(probe())
	}
}

// guest is init's side.
type guest struct {
	sending sync.Mutex
	born    chan struct{} // there may be a child to wait for
}

func runInit() int {
	unix.CloseOnExec(controlFD)
	// What a terminal sends to its foreground is meant for the commands.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE)
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	g := &guest{born: make(chan struct{}, 1)}
	go g.reap()
	// The process's first thread is what others see of it: it stays outside of the
	// domain, so that nothing inside may signal or read it. Held here, it cannot be
	// the one that is confined.
	runtime.LockOSThread()
	status := make(chan int)
	go func() { status <- g.serve() }()
	defer killAll() // on this thread: the other's calls may have nobody to answer them
	return <-status
}

// serve does what the supervisor asks for, on one thread.
func (g *guest) serve() int {
	runtime.LockOSThread() // this thread is the one that is confined
	if unix.Gettid() == os.Getpid() {
		fmt.Fprintln(os.Stderr, "openshell-init: the first thread must not be confined")
		return 1
	}
	for {
		m, files, err := receive(controlFD)
		if err != nil {
			return 0 // the supervisor went away
		}
		if m.Confine != nil {
			err = g.confine(*m.Confine)
		}
		if m.Start != nil {
			err = g.start(*m.Start, files)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "openshell-init:", err)
			return 1
		}
	}
}

func (g *guest) send(m message, files ...int) error {
	g.sending.Lock()
	defer g.sending.Unlock()
	return send(controlFD, m, files...)
}

func (g *guest) confine(c shim.Config) error {
	listener, err := shim.Confine(c)
	if err != nil {
		return g.send(message{Confined: &confined{Error: err.Error()}})
	}
	if listener < 0 {
		return g.send(message{Confined: &confined{}})
	}
	defer unix.Close(listener)
	return g.send(message{Confined: &confined{}}, listener)
}

// start forks on this thread, so that the command is confined as it is.
func (g *guest) start(s start, files []int) error {
	attr := &syscall.ProcAttr{Dir: s.Dir, Env: s.Env, Files: []uintptr{0, 1, 2}}
	for i, f := range files {
		if i < len(attr.Files) {
			attr.Files[i] = uintptr(f)
		}
	}
	pid, err := syscall.ForkExec(s.Path, s.Args, attr)
	for _, f := range files {
		_ = unix.Close(f)
	}
	out := started{ID: s.ID, PID: pid}
	if err != nil {
		out.PID, out.Errno = 0, unix.EIO
		if errno, ok := err.(syscall.Errno); ok {
			out.Errno = errno
		}
	}
	if err := g.send(message{Started: &out}); err != nil {
		return err
	}
	select {
	case g.born <- struct{}{}:
	default:
	}
	return nil
}

// reap waits for every child, also those whose parents ended, and tells.
func (g *guest) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.ECHILD:
			<-g.born
		case err == nil:
			_ = g.send(message{Exited: &exited{PID: pid, Status: shellStatus(status)}}) // nobody to tell
		}
	}
}

func shellStatus(s unix.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// killAll ends every process below this one; they are reaped beside it.
func killAll() { kill(func() []int { return childrenOf(os.Getpid()) }, func(int) {}) }

func childrenOf(pid int) (out []int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, t := range tasks {
		data, err := os.ReadFile(dir + "/" + t.Name() + "/children")
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(f); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}
