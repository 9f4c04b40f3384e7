//go:build linux

package ns

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// Process is a command in a sandbox.
type Process struct {
	// Inner is its pid as the sandbox sees it.
	Inner int
	// Terminal is the master of its terminal, if it has one of its own; the caller
	// owns it.
	Terminal *os.File

	sandbox *Sandbox
	done    chan int
}

// Spawn starts a command. Its error is a syscall.Errno where the program is to
// blame. With cmd.TTY the streams are ignored.
func (s *Sandbox) Spawn(cmd Command, stdio [3]*os.File) (*Process, error) {
	s.spawning.Lock()
	defer s.spawning.Unlock()
	var files []*os.File
	if !cmd.TTY {
		files = stdio[:]
	}
	if err := s.wire.Send(message{Spawn: &cmd}, files...); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
	a, err := s.answer()
	if err != nil {
		return nil, err
	}
	if a.spawned == nil {
		wire.CloseAll(a.files)
		return nil, errors.New("the sandbox answered something else than whether the command runs")
	}
	if a.spawned.Error != "" {
		wire.CloseAll(a.files)
		return nil, &SpawnError{a.spawned.Error, syscall.Errno(a.spawned.Errno)}
	}
	p := &Process{Inner: a.spawned.PID, sandbox: s, done: make(chan int, 1)}
	if len(a.files) > 0 {
		p.Terminal = a.files[0]
	}
	s.register(p)
	return p, nil
}

// SpawnError tells why a command does not run.
type SpawnError struct {
	Message string
	Errno   syscall.Errno
}

// Error returns the sandbox's words.
func (e *SpawnError) Error() string { return e.Message }

// Unwrap returns the Errno.
func (e *SpawnError) Unwrap() error { return e.Errno }

func (s *Sandbox) answer() (answer, error) {
	select {
	case a := <-s.answers:
		return a, nil
	case <-s.down:
		return answer{}, s.reason
	}
}

func (s *Sandbox) register(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status, ok := s.ended[p.Inner]; ok {
		delete(s.ended, p.Inner)
		p.done <- status
		return
	}
	select {
	case <-s.down:
		p.done <- 128 + int(syscall.SIGKILL)
	default:
		s.waiting[p.Inner] = p.done
	}
}

// Listen opens further ports and returns those that could be opened.
func (s *Sandbox) Listen(want ...Listener) ([]Listener, error) {
	s.spawning.Lock()
	defer s.spawning.Unlock()
	if err := s.wire.Send(message{Listen: want}); err != nil {
		return nil, err
	}
	a, err := s.answer()
	if err != nil {
		return nil, err
	}
	if a.ready == nil {
		wire.CloseAll(a.files)
		return nil, errors.New("the sandbox answered something else than what it listens on")
	}
	return a.ready.Listeners, s.adopt(a)
}

// Wait returns the exit status, 128 plus the signal for one that a signal ended.
func (p *Process) Wait() int { return <-p.done }

// Signal sends a signal to the command and its process group.
func (p *Process) Signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v has no number", sig)
	}
	return p.sandbox.wire.Send(message{Signal: &signal{p.Inner, int(number)}})
}
