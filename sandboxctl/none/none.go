// Package none is the runtime that confines nothing: the command runs as any
// other of the user, with variables that ask it to go through the gateway.
package none

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"github.com/openshell-policy/openshell/sandboxctl"
)

// Runtime starts commands unconfined; the zero value is ready for use.
type Runtime struct{}

// Name is "none".
func (Runtime) Name() string { return "none" }

// Confines says that nothing does.
func (Runtime) Confines() string { return "not confined by the kernel" }

// Start starts the command in the caller's process group, so that a terminal's
// Ctrl-C reaches it.
func (Runtime) Start(_ context.Context, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	path, err := lookup(spec.Args[0])
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: path, Args: spec.Args, Env: spec.Env, Dir: spec.Dir, Stdin: spec.Stdin, Stdout: spec.Stdout, Stderr: spec.Stderr}
	if err := cmd.Start(); err != nil {
		return nil, &sandboxctl.StartError{Status: sandboxctl.StatusNotExecutable, Err: err}
	}
	return process{cmd}, nil
}

// lookup finds the program as a shell does.
func lookup(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", &sandboxctl.StartError{Status: sandboxctl.StatusNotFound, Err: fmt.Errorf("%q: only the working directory has it: write ./%s", name, name)}
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", &sandboxctl.StartError{Status: sandboxctl.StatusNotFound, Err: fmt.Errorf("%q: command not found", name)}
	}
	return "", &sandboxctl.StartError{Status: sandboxctl.StatusNotExecutable, Err: err}
}

type process struct{ cmd *exec.Cmd }

func (p process) Signal(s os.Signal) error { return p.cmd.Process.Signal(s) }

func (p process) PID() int { return p.cmd.Process.Pid }

func (p process) Wait() (int, error) {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return sandboxctl.StatusFailed, err
	}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}
