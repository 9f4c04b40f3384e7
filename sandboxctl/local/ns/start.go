//go:build linux

package ns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// Sandbox is a running sandbox, as its supervisor holds it. When the supervisor
// dies, so does everything in the sandbox.
type Sandbox struct {
	cmd  *exec.Cmd
	wire *wire.Conn

	listeners map[Listener]net.Listener
	diag      *os.File

	spawning sync.Mutex // one request at a time, so that answers need no numbers
	answers  chan answer

	mu      sync.Mutex
	waiting map[int]chan int // by pid
	ended   map[int]int      // statuses that nobody waits for yet
	down    chan struct{}
	reason  error
}

type answer struct {
	spawned *Spawned
	ready   *ready
	confine *confine
	files   []*os.File
}

// Options say how process 1 is started.
type Options struct {
	// Executable calls Main when it is started as InitName; "" this program.
	Executable string
	// CgroupFD is the folder of the control group it is born in, or -1.
	CgroupFD int
	Stderr   *os.File
}

// ErrNoNamespaces says that the kernel lets this user make no namespaces.
var ErrNoNamespaces = errors.New("this kernel does not let this user make namespaces")

// Start builds a sandbox and returns when it is ready to be confined.
func Start(ctx context.Context, cfg Config, opts Options) (*Sandbox, error) {
	ours, theirs, err := wire.Pair()
	if err != nil {
		return nil, err
	}
	s := &Sandbox{answers: make(chan answer, 1), waiting: map[int]chan int{}, ended: map[int]int{}, down: make(chan struct{})}
	s.cmd = command(opts, theirs)
	err = s.cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, startError(err)
	}
	if s.wire, err = wire.FromFile(ours); err != nil {
		s.Close()
		return nil, err
	}
	go s.read()
	if err := s.await(ctx, cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func startError(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("%w: %w", ErrNoNamespaces, err)
	}
	return err
}

func command(opts Options, theirs *os.File) *exec.Cmd {
	path := opts.Executable
	if path == "" {
		path = "/proc/self/exe"
	}
	cmd := &exec.Cmd{Path: path, Args: []string{InitName}, Env: []string{}, Dir: "/", Stderr: opts.Stderr, ExtraFiles: []*os.File{theirs}}
	attr := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC |
			unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		Setsid: true,
		// An ordinary user's process would lose them with exec; process 1 gives them
		// up before it runs anything.
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_BIND_SERVICE, unix.CAP_SETPCAP, unix.CAP_DAC_OVERRIDE},
	}
	attr.UidMappings, attr.GidMappings = identity(os.Getuid()), identity(os.Getgid())
	if opts.CgroupFD >= 0 {
		attr.UseCgroupFD, attr.CgroupFD = true, opts.CgroupFD
	}
	cmd.SysProcAttr = attr
	return cmd
}

// identity maps a user to itself, and root to everybody, so that files keep
// their owners' names.
func identity(id int) []syscall.SysProcIDMap {
	if id == 0 && os.Getuid() == 0 {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 31}}
	}
	return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
}

// await sends the configuration and takes the sockets that come back.
func (s *Sandbox) await(ctx context.Context, cfg Config) error {
	if err := s.wire.Send(message{Config: &cfg}); err != nil {
		return fmt.Errorf("configure the sandbox: %w", err)
	}
	var a answer
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.down:
		return s.reason
	case a = <-s.answers:
	}
	if a.ready == nil {
		return errors.New("the sandbox answered something else than that it is ready")
	}
	return s.adopt(a)
}

func (s *Sandbox) adopt(a answer) error {
	files := a.files
	if a.ready.Diag && len(files) > 0 {
		s.diag, files = files[len(files)-1], files[:len(files)-1]
	}
	if len(files) != len(a.ready.Listeners) {
		wire.CloseAll(files)
		return errors.New("the sandbox sent another number of sockets than it said")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listeners == nil {
		s.listeners = map[Listener]net.Listener{}
	}
	for i, f := range files {
		ln, err := net.FileListener(f)
		err = errors.Join(err, f.Close())
		if err != nil {
			return err
		}
		s.listeners[a.ready.Listeners[i]] = ln
	}
	return nil
}

// read takes messages until process 1 is gone.
func (s *Sandbox) read() {
	for {
		var m message
		files, err := s.wire.Receive(&m)
		switch {
		case err != nil:
			s.ending(fmt.Errorf("the sandbox is gone: %w", err))
			return
		case m.Failed != "":
			s.ending(errors.New(m.Failed))
			return
		case m.Ended != nil:
			s.noteEnd(*m.Ended)
		default:
			s.answers <- answer{m.Spawned, m.Ready, m.Confine, files}
		}
	}
}

func (s *Sandbox) ending(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reason = why
	for pid, ch := range s.waiting {
		ch <- 128 + int(syscall.SIGKILL)
		delete(s.waiting, pid)
	}
	close(s.down)
}

func (s *Sandbox) noteEnd(e Ended) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch, ok := s.waiting[e.PID]; ok {
		ch <- e.Status
		delete(s.waiting, e.PID)
		return
	}
	s.ended[e.PID] = e.Status
}

// PID is process 1 as the host sees it.
func (s *Sandbox) PID() int { return s.cmd.Process.Pid }

// Diag is a netlink socket of the sandbox's network that answers whose a
// connection is. It is closed with the sandbox.
func (s *Sandbox) Diag() *os.File { return s.diag }

// Confine has the thread that will spawn every command confined, and returns the
// descriptor that this gave, or nil; the caller owns it. Nothing can be spawned
// before.
func (s *Sandbox) Confine(config []byte) (*os.File, error) {
	s.spawning.Lock()
	defer s.spawning.Unlock()
	if err := s.wire.Send(message{Confine: &confine{Config: config}}); err != nil {
		return nil, fmt.Errorf("confine the sandbox: %w", err)
	}
	a, err := s.answer()
	if err != nil {
		return nil, err
	}
	switch {
	case a.confine == nil:
		err = errors.New("the sandbox answered something else than that it is confined")
	case a.confine.Error != "":
		err = fmt.Errorf("confine the sandbox: %s", a.confine.Error)
	case len(a.files) == 1:
		return a.files[0], nil
	}
	wire.CloseAll(a.files)
	return nil, err
}

// Listeners are the sandbox's sockets; the caller accepts on them.
func (s *Sandbox) Listeners() map[Listener]net.Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[Listener]net.Listener, len(s.listeners))
	for l, ln := range s.listeners {
		out[l] = ln
	}
	return out
}

// Down is closed when the sandbox is gone.
func (s *Sandbox) Down() <-chan struct{} { return s.down }

// Close ends everything in the sandbox and waits until it is gone.
func (s *Sandbox) Close() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if s.wire != nil {
		_ = s.wire.Close()
	}
	for _, ln := range s.Listeners() {
		_ = ln.Close()
	}
	if s.diag != nil {
		_ = s.diag.Close()
	}
}
