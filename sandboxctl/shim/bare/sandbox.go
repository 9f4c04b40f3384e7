package bare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/schemas"
)

// Options describe a sandbox.
type Options struct {
	Config  shim.Config
	Policy  shim.Policy
	Sandbox schemas.Sandbox
	Record  func(*schemas.Record) error // see shim.Options
	Reads   bool
	// Stdin, Stdout and Stderr are the commands' own.
	Stdin, Stdout, Stderr *os.File
}

// Sandbox runs commands under one policy.
type Sandbox struct {
	init    *os.Process
	control int
	sup     *shim.Supervisor // nil where the filter never notifies
	sending sync.Mutex

	mu      sync.Mutex
	next    int
	pending map[int]chan started
	waiting map[int]chan int // by process
	early   map[int]int      // statuses of commands that ended before anyone asked
	gone    chan struct{}    // init ended
}

// Start starts init and confines it. The sandbox ends with Close.
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	s := &Sandbox{
		control: pair[0], pending: map[int]chan started{}, waiting: map[int]chan int{}, early: map[int]int{}, gone: make(chan struct{}),
	}
	// What init leaves behind, if it is killed, becomes this process's.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		_ = unix.Close(pair[0])
		_ = theirs.Close()
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	s.init, err = startInit(o, theirs)
	_ = theirs.Close() // or nobody would notice that init ended
	if err != nil {
		_ = unix.Close(pair[0])
		return nil, fmt.Errorf("start the sandbox: %w", err)
	}
	if err := s.confine(ctx, o); err != nil {
		s.Close()
		return nil, err
	}
	go s.listen()
	return s, nil
}

// startInit executes this program as init. The environment is empty: commands
// bring their own.
func startInit(o Options, control *os.File) (*os.Process, error) {
	files := []*os.File{o.Stdin, o.Stdout, o.Stderr, control}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	for i, f := range files {
		if f == nil {
			files[i] = null
		}
	}
	return os.StartProcess("/proc/self/exe", []string{initName}, &os.ProcAttr{
		Env: []string{"GOMAXPROCS=1", "GODEBUG=madvdontneed=1"}, Files: files,
	})
}

func (s *Sandbox) confine(ctx context.Context, o Options) error {
	if err := send(s.control, message{Confine: &o.Config}); err != nil {
		return err
	}
	m, files, err := receive(s.control)
	switch {
	case err != nil:
		return fmt.Errorf("confine the sandbox: %w", err)
	case m.Confined == nil:
		return errors.New("confine the sandbox: init answered something else")
	case m.Confined.Error != "":
		return fmt.Errorf("confine the sandbox: %s", m.Confined.Error)
	case len(files) == 0 && o.Config.Filter.Any():
		return errors.New("confine the sandbox: the filter has no listener")
	case len(files) == 0:
		return nil
	}
	s.sup, err = shim.New(shim.Options{
		Listener: files[0], Config: o.Config, Init: s.init.Pid, Policy: o.Policy, Sandbox: o.Sandbox, Diag: -1,
		Record: o.Record, Reads: o.Reads,
	})
	_ = unix.Close(files[0]) // the supervisor has its own
	if err != nil {
		return err
	}
	go func() { _ = s.sup.Serve(ctx) }() // it ends with the sandbox
	return nil
}

// listen takes what init tells until it ends.
func (s *Sandbox) listen() {
	defer close(s.gone)
	for {
		m, _, err := receive(s.control)
		if err != nil {
			return
		}
		s.mu.Lock()
		switch {
		case m.Started != nil:
			if c := s.pending[m.Started.ID]; c != nil {
				c <- *m.Started
				delete(s.pending, m.Started.ID)
			}
		case m.Exited != nil:
			if c := s.waiting[m.Exited.PID]; c != nil {
				c <- m.Exited.Status
				delete(s.waiting, m.Exited.PID)
			} else {
				s.end(m.Exited.PID, m.Exited.Status)
			}
		}
		s.mu.Unlock()
	}
}

// end notes a status that nobody waits for, or not yet: of orphans nobody will.
func (s *Sandbox) end(pid, status int) {
	if len(s.early) >= 4096 {
		clear(s.early)
	}
	s.early[pid] = status
}

// Supervisor decides for the sandbox; nil at a level without decisions.
func (s *Sandbox) Supervisor() *shim.Supervisor { return s.sup }

// Init is the process that the sandbox's commands are children of.
func (s *Sandbox) Init() int { return s.init.Pid }

// Command is a command to start.
type Command struct {
	Path string // absolute
	Args []string
	Env  []string
	Dir  string
}

// DeniedError says that the policy does not let a command start.
type DeniedError struct{ Decision schemas.Decision }

// Error returns the decision's message.
func (e *DeniedError) Error() string { return e.Decision.Message }

// Process is a command that was started.
type Process struct {
	s   *Sandbox
	PID int
	end chan int
}

// Run starts a command as one from outside. Its error is a *DeniedError, an
// errno of execve(2), or says that the sandbox is gone.
func (s *Sandbox) Run(c Command) (*Process, error) {
	var expected *shim.Expected
	if s.sup != nil {
		expected = s.sup.Expect(shim.Entry{Path: c.Path, Args: c.Args})
	}
	answer := make(chan started, 1)
	s.mu.Lock()
	s.next++
	id := s.next
	s.pending[id] = answer
	s.mu.Unlock()
	err := s.send(message{Start: &start{ID: id, Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir}})
	var got started
	if err == nil {
		select {
		case got = <-answer:
		case <-s.gone:
			err = errors.New("the sandbox ended")
		}
	}
	if expected != nil {
		if denied := expected.Done(); denied != nil {
			return nil, &DeniedError{Decision: *denied}
		}
	}
	switch {
	case err != nil:
		return nil, err
	case got.Errno != 0:
		return nil, got.Errno
	}
	return s.process(got.PID), nil
}

func (s *Sandbox) process(pid int) *Process {
	p := &Process{s: s, PID: pid, end: make(chan int, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if status, ok := s.early[pid]; ok {
		p.end <- status
		delete(s.early, pid)
	} else {
		s.waiting[pid] = p.end
	}
	return p
}

func (s *Sandbox) send(m message) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return send(s.control, m)
}

// statusGone is the status of a command whose sandbox was killed.
const statusGone = 128 + int(unix.SIGKILL)

// Wait returns the command's exit status, 128 plus the signal for one that a
// signal ended.
func (p *Process) Wait() int {
	select {
	case status := <-p.end:
		return status
	case <-p.s.gone:
	}
	select {
	case status := <-p.end:
		return status
	default:
		return statusGone
	}
}

// Signal sends a signal to the command.
func (p *Process) Signal(sig syscall.Signal) error { return unix.Kill(p.PID, sig) }

// Close kills everything in the sandbox and waits for its end.
func (s *Sandbox) Close() {
	_ = unix.Shutdown(s.control, unix.SHUT_RDWR) // init takes it for our end
	_, _ = s.init.Wait()
	killChildren()
	runtime.KeepAlive(s)
	_ = unix.Close(s.control)
}
