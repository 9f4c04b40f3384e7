//go:build linux

package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
	"github.com/openshell-policy/openshell/schemas"
)

// Options describe a sandbox.
type Options struct {
	// ID is the sandbox's, as sb-a1b2c3.
	ID, Agent string
	// Dir is the sandbox's own folder in the state folder. It is made.
	Dir string
	// Workspace is the folder that the sandbox works in; "" an empty one that is
	// gone with it. With Overlay what it changes is kept in Dir until it is applied
	// or discarded.
	Workspace string
	Overlay   bool
	// Show are further folders of this machine that the sandbox sees, read-only.
	Show []string
	// Socket is the gateway's for the supervisor of this sandbox.
	Socket string
	// CABundle is what the sandbox's clients must trust, as PEM.
	CABundle []byte
	Policies Policies
	Limits   Limits
	// TmpBytes bounds each of /tmp, the home and /dev/shm; 0 is 1 GiB.
	TmpBytes int64
	// HotFiles asks for file clauses that can change while the sandbox runs.
	HotFiles bool
	// AllowDegraded starts the sandbox also where the kernel cannot enforce all of
	// its policy.
	AllowDegraded bool
	// Idle and Lifetime stop the sandbox after so long without anything happening,
	// and after so long in all; 0 never.
	Idle, Lifetime time.Duration
	// Record takes the records of files and commands; nil drops them.
	Record func(*schemas.Record)
	Stderr *os.File
}

// Where the sandbox finds what the runtime gives it.
const (
	Home         = "/home/agent"
	CABundlePath = "/run/openshell/ca-bundle.pem"
	ProxyURL     = "http://127.0.0.1:8080"
)

// Command is a program to run in a sandbox.
type Command = ns.Command

// Sandbox is a running sandbox, in the process that supervises it. When that
// process ends, however it ends, the sandbox does.
type Sandbox struct {
	opts   Options
	ns     *ns.Sandbox
	shim   *shim.Supervisor
	view   *rootView
	bridge *bridge
	group  *group // nil without control groups
	config shim.Config
	begun  time.Time
	cancel context.CancelFunc

	policy  atomic.Pointer[Policy]
	refresh sync.Mutex
	running atomic.Int64 // commands

	stopping sync.Once
	status   atomic.Pointer[string] // why it was stopped
	done     chan struct{}
}

// SandboxStatus is what the supervisor knows of its sandbox.
type SandboxStatus struct {
	Level    string        `json:"level"`
	FileMode string        `json:"file_mode"`
	Policy   string        `json:"policy"`
	Revision string        `json:"revision"`
	CPU      time.Duration `json:"cpu"`
	Memory   int64         `json:"memory_bytes"`
	Peak     int64         `json:"peak_bytes,omitempty"`
	Limits   Limits        `json:"limits"`
	Commands int64         `json:"commands"` // that run
	Stops    *time.Time    `json:"stops,omitempty"`
}

// Start builds a sandbox, confined and ready to run commands.
func Start(ctx context.Context, opts Options) (*Sandbox, error) {
	s := &Sandbox{opts: opts, begun: time.Now(), done: make(chan struct{})}
	policy, err := opts.Policies.Current(ctx)
	if err != nil {
		return nil, err
	}
	s.policy.Store(&policy)
	if err := s.take(); err != nil {
		return nil, err
	}
	probed := make(chan bare.Finding, 1)
	go func() { probed <- bare.Probe(ctx) }()
	if err := s.build(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.confine(<-probed); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// take makes the sandbox's folder, unless another has it.
func (s *Sandbox) take() error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return err
	}
	err := os.Mkdir(s.stage(), 0o700)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.CodeTaken, "%s is a sandbox already", s.opts.ID)
	}
	return err
}

// stage is where the sandbox's root is put together.
func (s *Sandbox) stage() string { return filepath.Join(s.opts.Dir, "root") }

// build makes the namespaces and what leads out of them.
func (s *Sandbox) build(ctx context.Context) error {
	cfg, err := s.layout()
	if err != nil {
		return err
	}
	cgroup := -1
	s.group, err = newGroup(s.opts.ID, s.opts.Limits)
	if err != nil && !errors.Is(err, errNoGroups) {
		return err
	}
	if s.group != nil {
		dir, err := s.group.open()
		if err != nil {
			return err
		}
		defer dir.Close()
		cgroup = int(dir.Fd())
	}
	s.ns, err = ns.Start(ctx, cfg, ns.Options{CgroupFD: cgroup, Stderr: s.opts.Stderr})
	return err
}

// layout is what the sandbox looks like.
func (s *Sandbox) layout() (ns.Config, error) {
	cfg := ns.Config{
		Hostname: s.opts.ID, Stage: s.stage(), Workspace: s.opts.Workspace, Home: Home, Show: s.opts.Show,
		TmpBytes: s.opts.TmpBytes, Ports: ports(*s.policy.Load()), Limits: s.processLimits(),
		Files: map[string]string{
			"/etc/resolv.conf": "nameserver 127.0.0.1\noptions use-vc timeout:5\n",
			"/etc/hosts":       "127.0.0.1 localhost " + s.opts.ID + "\n::1 localhost\n",
			"/etc/hostname":    s.opts.ID + "\n",
			CABundlePath:       string(s.opts.CABundle),
		},
	}
	if cfg.TmpBytes == 0 {
		cfg.TmpBytes = 1 << 30
	}
	if !s.opts.Overlay || s.opts.Workspace == "" {
		return cfg, nil
	}
	cfg.Upper, cfg.Work = filepath.Join(s.opts.Dir, "upper"), filepath.Join(s.opts.Dir, "work")
	return cfg, errors.Join(os.MkdirAll(cfg.Upper, 0o755), os.MkdirAll(cfg.Work, 0o755), noteOverlay(s.opts.Dir, s.opts.Workspace))
}

// ports are where the sandbox's connections may go to.
func ports(p Policy) []int {
	all := append([]int{80, 443, dnsPort}, p.Ports...)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(n int) bool { return n == ns.ProxyPort || n < 1 || n > 65535 })
}

// confine puts everything that will run under the policy.
func (s *Sandbox) confine(found bare.Finding) error {
	var err error
	if s.view, err = openView(s.ns.PID()); err != nil {
		return fmt.Errorf("look into the sandbox: %w", err)
	}
	level := found.Level
	if level == shim.Pod {
		level = shim.Full // the namespaces are around it
	}
	policy := s.policy.Load()
	config, plan := shim.Prepare(shim.Request{
		Policy: policy.Policy, Ceiling: policy.Ceiling, Home: Home, Level: level, Hot: s.opts.HotFiles, View: s.view,
	})
	if err := s.enough(config, plan, found); err != nil {
		return err
	}
	s.config = config
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	listener, err := s.ns.Confine(text)
	if err != nil {
		return err
	}
	if err := shim.Harden(); err != nil {
		return err
	}
	return s.supervise(listener)
}

// supervise begins to decide and to pass connections on.
func (s *Sandbox) supervise(listener *os.File) error {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.bridge = &bridge{socket: s.opts.Socket, names: &names{allowed: func(h string) bool { return s.policy.Load().Names(h) }}}
	s.bridge.touch()
	if listener != nil {
		sup, err := shim.New(shim.Options{
			Listener: int(listener.Fd()), Config: s.config, Init: s.ns.PID(), Root: fmt.Sprintf("/proc/%d/root", s.ns.PID()),
			Policy: s.policy.Load().Policy, Sandbox: schemas.Sandbox{ID: s.opts.ID, Agent: s.opts.Agent, Home: Home}, Record: s.record, Diag: int(s.ns.Diag().Fd()),
		})
		if err != nil {
			return err
		}
		s.shim = sup
		s.bridge.identify = s.identify
		go func() {
			defer listener.Close()
			if err := sup.Serve(ctx); err != nil && ctx.Err() == nil {
				s.Stop("failed")
			}
		}()
	}
	if err := s.bridge.listeners(ctx, s.ns.Listeners()); err != nil {
		return err
	}
	ln, err := listenControl(s.opts.Dir)
	if err != nil {
		return err
	}
	go s.serveControl(ctx, ln)
	go s.watch(ctx)
	return nil
}

// record never fails: who takes the records stops the sandbox where it cannot.
func (s *Sandbox) record(r *schemas.Record) error {
	s.bridge.touch()
	if s.opts.Record != nil {
		s.opts.Record(r)
	}
	return nil
}

func (s *Sandbox) identify(client, server netip.AddrPort) (string, []string) {
	p, ok := s.shim.Identify(shim.Connection{Local: client, Remote: server})
	if !ok {
		return "", nil
	}
	return p.Binary, p.Ancestors
}

// Process is a command of a sandbox.
type Process struct {
	*ns.Process
	sandbox *Sandbox
}

// Run starts a command. Its error is a *ns.SpawnError where the program is to
// blame.
func (s *Sandbox) Run(_ context.Context, cmd Command, stdio [3]*os.File) (*Process, error) {
	if len(cmd.Args) == 0 {
		return nil, errors.New("no command")
	}
	path, err := s.view.lookup(cmd)
	if err != nil {
		return nil, err
	}
	cmd.Path = path
	cmd.Env, _ = shim.Scrub(cmd.Env)
	p, err := s.spawn(cmd, stdio)
	if err != nil {
		return nil, err
	}
	s.bridge.touch()
	s.running.Add(1)
	return &Process{p, s}, nil
}

// spawn starts a command that the shim expects, and says so where it was the
// policy that refused it.
func (s *Sandbox) spawn(cmd Command, stdio [3]*os.File) (*ns.Process, error) {
	if s.shim == nil {
		return s.ns.Spawn(cmd, stdio)
	}
	expected := s.shim.Expect(shim.Entry{Path: cmd.Path, Args: cmd.Args})
	p, err := s.ns.Spawn(cmd, stdio)
	if denied := expected.Done(); err != nil && denied != nil {
		err = &sandboxctl.StartError{Status: sandboxctl.StatusNotExecutable, Err: fmt.Errorf("%q is denied: %s", cmd.Args[0], denied.Message)}
	}
	return p, err
}

// Wait returns the exit status, 128 plus the signal for one that a signal ended.
func (p *Process) Wait() int {
	defer p.sandbox.running.Add(-1)
	return p.Process.Wait()
}

// Refresh puts the policy in force that the sandbox is bound to now.
func (s *Sandbox) Refresh(ctx context.Context) (Change, error) {
	s.refresh.Lock()
	defer s.refresh.Unlock()
	policy, err := s.opts.Policies.Current(ctx)
	if err != nil {
		return Change{}, err
	}
	s.policy.Store(&policy)
	var change Change
	if s.shim != nil {
		c, err := s.shim.Swap(policy.Policy)
		if err != nil {
			return change, err
		}
		change.RestartRequired = c.RestartRequired
	}
	return change, s.openPorts(policy)
}

// openPorts listens on ports that only the new policy names.
func (s *Sandbox) openPorts(p Policy) error {
	have := s.ns.Listeners()
	var want []ns.Listener
	for _, port := range ports(p) {
		if l := (ns.Listener{Port: port, Any: true}); have[l] == nil {
			want = append(want, l)
		}
	}
	if len(want) == 0 {
		return nil
	}
	opened, err := s.ns.Listen(want...)
	if err != nil {
		return err
	}
	all := s.ns.Listeners()
	fresh := map[ns.Listener]net.Listener{}
	for _, l := range opened {
		fresh[l] = all[l]
	}
	if len(fresh) == 0 {
		return nil
	}
	return s.bridge.listeners(context.Background(), fresh)
}

// Status returns what the supervisor knows.
func (s *Sandbox) Status() SandboxStatus {
	policy, usage := s.policy.Load(), s.Usage()
	out := SandboxStatus{
		Level: string(s.config.Level), FileMode: string(s.config.Mode), Policy: policy.Name, Revision: policy.Revision(),
		CPU: usage.CPU, Memory: usage.MemoryBytes, Peak: usage.PeakBytes, Limits: s.opts.Limits, Commands: s.running.Load(),
	}
	if s.opts.Lifetime > 0 {
		at := s.begun.Add(s.opts.Lifetime)
		out.Stops = &at
	}
	return out
}

// Usage returns what the sandbox uses.
func (s *Sandbox) Usage() Usage {
	if s.group != nil {
		if u, err := s.group.usage(); err == nil {
			return u
		}
	}
	return treeUsage(s.ns.PID())
}

// Level and FileMode are how the policy is enforced.
func (s *Sandbox) Level() string { return string(s.config.Level) }

// FileMode is how files are enforced: floor or trapped.
func (s *Sandbox) FileMode() string { return string(s.config.Mode) }

// Done is closed when the sandbox was stopped or is gone.
func (s *Sandbox) Done() <-chan struct{} { return s.done }

// Stopped is why the sandbox was stopped, a status of adminapi; "" if it was
// not.
func (s *Sandbox) Stopped() string {
	if why := s.status.Load(); why != nil {
		return *why
	}
	return ""
}

// Stop ends everything in the sandbox.
func (s *Sandbox) Stop(status string) {
	s.stopping.Do(func() {
		s.status.Store(&status)
		close(s.done)
		s.ns.Close()
	})
}

// Close ends the sandbox and removes what it left, but for an overlay.
func (s *Sandbox) Close() {
	s.stopping.Do(func() { close(s.done) })
	if s.ns != nil {
		s.ns.Close()
	}
	if s.cancel != nil {
		s.cancel()
	}
	if s.bridge != nil {
		s.bridge.wg.Wait()
	}
	if s.view != nil {
		s.view.close()
	}
	if s.group != nil {
		s.group.remove()
	}
	_ = os.Remove(ControlPath(s.opts.Dir))
	_ = os.Remove(s.stage())
	_ = os.Remove(s.opts.Dir) // empty, but for an overlay
}
