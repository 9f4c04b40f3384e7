//go:build linux

package ns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// InitName is the name that process 1 is started under: a program that finds it
// as os.Args[0] calls Main and nothing else.
const InitName = "openshell-sandbox"

// wireFD is the descriptor of the socket to the supervisor.
const wireFD = 3

// Confine restricts the calling thread and all that it will fork, and returns a
// descriptor that the supervisor is to be sent, or -1. It is called inside the
// sandbox, after everything is built, with what the supervisor says.
type Confine func(config []byte) (listener int, err error)

// Main is process 1 of a sandbox. It returns when the supervisor is gone, and
// the kernel then ends everything in the sandbox.
func Main(confine Confine) int {
	w, err := wire.FromFile(os.NewFile(wireFD, "supervisor"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "openshell: not started by a supervisor:", err)
		return 125
	}
	i := &initProcess{wire: w, confine: confine, requests: make(chan request1)}
	if err := i.run(); !errors.Is(err, io.EOF) {
		_ = w.Send(message{Failed: err.Error()}) // the supervisor may be gone
		return 125
	}
	return 0
}

type initProcess struct {
	wire     *wire.Conn
	confine  Confine
	requests chan request1
	children children
}

// request1 asks the spawning thread for one command, or to confine itself.
type request1 struct {
	confine *confine
	command *Command
	files   []*os.File
}

func (i *initProcess) run() error {
	var m message
	if _, err := i.wire.Receive(&m); err != nil {
		return err
	}
	if m.Config == nil {
		return errors.New("the supervisor's first message is not a configuration")
	}
	files, listeners, err := build(m.Config)
	if err != nil {
		return err
	}
	err = i.wire.Send(message{Ready: &ready{Listeners: listeners, Diag: true}}, files...)
	wire.CloseAll(files)
	if err != nil {
		return err
	}
	go i.spawner()
	go i.children.reap(func(e Ended) { _ = i.wire.Send(message{Ended: &e}) })
	return i.serve()
}

// build makes the sandbox around this process.
func build(cfg *Config) (files []*os.File, listeners []Listener, err error) {
	if err := unix.Sethostname([]byte(cfg.Hostname)); err != nil {
		return nil, nil, fmt.Errorf("host name: %w", err)
	}
	if err := buildNet(); err != nil {
		return nil, nil, err
	}
	for _, p := range cfg.Ports {
		listeners = append(listeners, Listener{Port: p, Any: true})
	}
	listeners = append(listeners, Listener{Port: ProxyPort})
	if files, err = listen(listeners); err != nil {
		return nil, nil, err
	}
	diag, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, nil, fmt.Errorf("socket to ask about connections: %w", err)
	}
	files = append(files, os.NewFile(uintptr(diag), "diag"))
	if err := buildRoot(cfg); err != nil {
		return nil, nil, err
	}
	for resource, most := range cfg.Limits {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return nil, nil, fmt.Errorf("resource limit %d: %w", resource, err)
		}
	}
	return files, listeners, nil
}

// ProxyPort is where, on 127.0.0.1, the sandbox finds the gateway's proxy.
const ProxyPort = 8080

// serve does what the supervisor asks until it is gone.
func (i *initProcess) serve() error {
	for {
		var m message
		files, err := i.wire.Receive(&m)
		if err != nil {
			return err
		}
		switch {
		case m.Confine != nil:
			i.requests <- request1{confine: m.Confine}
		case m.Spawn != nil:
			i.requests <- request1{command: m.Spawn, files: files}
		case m.Signal != nil:
			i.children.signal(*m.Signal)
		case m.Listen != nil:
			i.listenMore(m.Listen)
		default:
			wire.CloseAll(files)
		}
	}
}

// listenMore opens further ports, which a new policy names. The answer holds
// those that could be opened.
func (i *initProcess) listenMore(want []Listener) {
	var files []*os.File
	var opened []Listener
	for _, l := range want {
		if f, err := listen([]Listener{l}); err == nil {
			files, opened = append(files, f...), append(opened, l)
		}
	}
	_ = i.wire.Send(message{Ready: &ready{Listeners: opened}}, files...)
	wire.CloseAll(files)
}

// spawner owns the one thread that is confined, and forks every command. It
// spawns nothing before it is confined.
func (i *initProcess) spawner() {
	runtime.LockOSThread() // for ever
	if unix.Gettid() == os.Getpid() {
		// The first thread stands for the process to whoever would signal or trace
		// it, so it stays outside of the domain. It is held here.
		go i.spawner()
		select {}
	}
	confined := false
	for req := range i.requests {
		switch {
		case req.confine != nil && !confined:
			confined = i.confineThread(req.confine)
		case req.command != nil && confined:
			s, master := i.children.spawn(req)
			var back []*os.File
			if master != nil {
				back = append(back, master)
			}
			_ = i.wire.Send(message{Spawned: &s}, back...)
			wire.CloseAll(back)
		default:
			_ = i.wire.Send(message{Failed: "the sandbox was asked in the wrong order"})
		}
		wire.CloseAll(req.files)
	}
}

// confineThread restricts the calling thread and answers with what the
// supervisor needs to decide for it. A thread that could be restricted only in
// part spawns nothing.
func (i *initProcess) confineThread(c *confine) bool {
	listener := -1
	err := dropPrivileges()
	if err == nil && i.confine != nil {
		listener, err = i.confine(c.Config)
	}
	if err != nil {
		_ = i.wire.Send(message{Confine: &confine{Error: err.Error()}})
		return false
	}
	var files []*os.File
	if listener >= 0 {
		files = append(files, os.NewFile(uintptr(listener), "listener"))
	}
	err = i.wire.Send(message{Confine: &confine{}}, files...)
	wire.CloseAll(files)
	return err == nil
}

// dropPrivileges gives up every capability of the calling thread, for good.
func dropPrivileges() error {
	for c := 0; c <= 63; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("give up capability %d: %w", c, err)
		}
	}
	const noRoot = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<7 // no gain by uid 0, no ambient set; locked
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noRoot, 0, 0, 0); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("secure bits: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	return nil
}
