package shim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/globs"
	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
)

// Supervisor answers the notifications of one sandbox.
type Supervisor struct {
	opts    Options
	root    int // O_PATH descriptor of the sandbox's root directory
	current atomic.Pointer[inForce]
	openers *openers
	idle    atomic.Int32 // receivers that wait
	workers sync.WaitGroup
	entries entries
	// names is held for reading while one name is made or removed, and for
	// writing while an object gets another name.
	names   sync.RWMutex
	linked  linked
	copies  copies
	piping  sync.Mutex // held while an execution is judged by what feeds it
	procs   processes
	sockets sockets
	recent  recent
	patient atomic.Int32 // opens that wait for the other end of a FIFO
	// tampered is what the self-test does between judging and letting through.
	tampered func(*call, *judged)
}

// inForce is a policy with what follows from it.
type inForce struct {
	Policy
	guarded  []globs.Glob // what moving a directory must not carry along
	writable []globs.Glob
}

// trees tells whether everything below a directory is writable, as far as no
// other rule says something else.
func (f *inForce) trees(dir string) bool {
	return slices.ContainsFunc(f.writable, func(g globs.Glob) bool { return g.Tree() && g.Covers(dir) })
}

// New returns the supervisor of a sandbox whose confined thread has called
// Confine. Its calls wait until Serve.
func New(o Options) (*Supervisor, error) {
	if o.Policy.Decider == nil {
		return nil, errors.New("no policy to decide by")
	}
	listener, err := unix.FcntlInt(uintptr(o.Listener), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("keep the listener: %w", err)
	}
	o.Listener = listener // its own: receivers may outlive the caller's
	s := &Supervisor{opts: o}
	dir := o.Root
	if dir == "" {
		dir = "/"
	}
	if s.root, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		_ = unix.Close(listener)
		return nil, fmt.Errorf("open the root of the sandbox: %w", err)
	}
	s.recent.init()
	s.sockets.init()
	s.procs.init()
	s.enforce(o.Policy)
	if s.openers, err = newOpeners(s); err != nil {
		_, _ = unix.Close(s.root), unix.Close(listener)
		return nil, err
	}
	return s, nil
}

func (s *Supervisor) enforce(p Policy) {
	f := &inForce{Policy: p}
	f.guarded = globs.ParseAll(slices.Concat(p.Files.Blocked, p.Files.Sensitive, p.Files.Readonly))
	f.writable = globs.ParseAll(p.Files.Writable)
	for _, sub := range p.Files.SensitiveHome {
		if home := s.opts.Sandbox.Home; home != "" {
			f.guarded = append(f.guarded, globs.Parse(home+"/"+sub))
		}
	}
	s.current.Store(f)
	s.linked.forget()
}

// The number of receivers: one is always waiting, and no more than a few are.
const (
	minReceivers = 2
	maxIdle      = 4
)

// Serve answers notifications until the last process of the sandbox is gone or
// ctx ends. What still waits for an answer then fails with ENOSYS, once the
// caller has closed the listener too.
func (s *Supervisor) Serve(ctx context.Context) error {
	for range minReceivers {
		s.spawn(ctx)
	}
	for ctx.Err() == nil && !s.hungUp() {
	}
	if s.ended() {
		// Nobody reads it: its number cannot be taken for another listener's.
		_ = unix.Close(s.opts.Listener)
		s.openers.stop()
		_ = unix.Close(s.root)
	}
	return ctx.Err()
}

// ended waits for the receivers. Older kernels do not wake one that waits for
// notifications when nobody is left to send any; then what it uses stays open.
func (s *Supervisor) ended() bool {
	done := make(chan struct{})
	go func() {
		s.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-time.After(time.Second):
		return false
	}
}

// hungUp waits a while for the end of the last process.
func (s *Supervisor) hungUp() bool {
	p := []unix.PollFd{{Fd: int32(s.opts.Listener)}}
	_, err := unix.Poll(p, int(500*time.Millisecond/time.Millisecond))
	return err != nil && err != unix.EINTR || p[0].Revents != 0
}

func (s *Supervisor) spawn(ctx context.Context) {
	s.idle.Add(1)
	s.workers.Add(1)
	go s.receive(ctx)
}

// receive is one thread that takes notifications. Its signals are masked, and it
// gives up what rights the sandbox does not have either; so it ends with it.
func (s *Supervisor) receive(ctx context.Context) {
	defer s.workers.Done()
	defer s.idle.Add(-1)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if sys.MaskSignals() != nil || sys.DropThreadCapabilities() != nil {
		return
	}
	for {
		n, err := sys.Receive(s.opts.Listener)
		switch {
		case err == unix.EINTR, err == unix.ENOENT && !sys.HungUp(s.opts.Listener):
			continue
		case err != nil:
			return
		}
		if s.idle.Add(-1) < 1 {
			s.spawn(ctx)
		}
		if ctx.Err() == nil {
			s.handle(n)
		} else {
			_ = sys.Fail(s.opts.Listener, n.ID, unix.ENOSYS)
		}
		if s.idle.Add(1) > maxIdle {
			return
		}
	}
}

// handle answers one notification, whatever happens.
func (s *Supervisor) handle(n sys.Notification) {
	c := &call{s: s, policy: &s.current.Load().Policy, n: n}
	defer c.close()
	defer func() {
		if r := recover(); r != nil {
			c.answer(unix.EACCES) // a fault of ours opens nothing
		}
	}()
	if h, ok := handlers[n.Nr]; ok {
		h(c)
		return
	}
	c.answer(unix.ENOSYS)
}

// openers are threads that act for the sandbox in its own Landlock domain: what
// they open or make, the kernel would have let the caller open or make.
type openers struct {
	work  chan func()
	umask sync.Mutex
}

const openerThreads = 3

func newOpeners(s *Supervisor) (*openers, error) {
	o := &openers{work: make(chan func())}
	ready := make(chan error, openerThreads)
	for range openerThreads {
		go o.run(s, ready)
	}
	var failed error
	for range openerThreads {
		failed = errors.Join(failed, <-ready)
	}
	if failed != nil {
		o.stop()
		return nil, failed
	}
	return o, nil
}

func (o *openers) stop() { close(o.work) }

func (o *openers) run(s *Supervisor, ready chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread stays confined
	err := o.confine(s)
	ready <- err
	if err != nil {
		return
	}
	for f := range o.work {
		f()
	}
}

func (o *openers) confine(s *Supervisor) error {
	if err := sys.MaskSignals(); err != nil {
		return err
	}
	if err := sys.NoNewPrivileges(); err != nil {
		return err
	}
	resolve := uint64(0)
	if s.opts.Root != "" {
		resolve = unix.RESOLVE_IN_ROOT
	}
	if err := enterDomain(s.opts.Config, s.root, resolve); err != nil {
		return err
	}
	return sys.DropThreadCapabilities()
}

// do runs f on an opener thread and returns what it returns.
func (o *openers) do(f func() error) error {
	done := make(chan error, 1)
	o.work <- func() {
		defer func() {
			if r := recover(); r != nil {
				done <- unix.EACCES
			}
		}()
		done <- f()
	}
	return <-done
}

// with runs f on an opener thread with the caller's umask, which the threads of
// a process share.
func (o *openers) with(umask uint32, f func() error) error {
	return o.do(func() error {
		o.umask.Lock()
		defer o.umask.Unlock()
		defer unix.Umask(unix.Umask(int(umask)))
		return f()
	})
}
