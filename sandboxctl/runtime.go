package sandboxctl

import (
	"context"
	"os"
)

// Spec is a command to start in a sandbox.
type Spec struct {
	ID   string   // sb-a1b2c3
	Args []string // the program and its arguments
	Env  []string // the whole environment, as os.Environ has it
	Dir  string   // "" is the working directory
	// CABundle is the file with what the command's clients must trust.
	CABundle string

	Stdin, Stdout, Stderr *os.File
}

// Runtime starts commands in sandboxes.
type Runtime interface {
	// Name is what --runtime calls it.
	Name() string
	// Confines says in a few words what keeps the command inside, for people.
	Confines() string
	// Start starts the command. The error is a *StartError where the command is
	// to blame.
	Start(ctx context.Context, spec Spec) (Process, error)
}

// Process is a started command.
type Process interface {
	// Wait returns the exit status, 128 plus the signal for one that a signal
	// ended.
	Wait() (status int, err error)
	// Signal sends a signal to the command.
	Signal(os.Signal) error
	// PID is the command's process on this machine, 0 if it has none.
	PID() int
}

// The exit statuses of a command that did not run, as shells and docker have
// them.
const (
	StatusFailed        = 125 // openshell failed
	StatusNotExecutable = 126 // denied, or not an executable
	StatusNotFound      = 127
)

// StartError says that the command cannot be started.
type StartError struct {
	Status int // StatusNotExecutable or StatusNotFound
	Err    error
}

// Error returns the reason.
func (e *StartError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }
