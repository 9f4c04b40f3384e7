package cli

import (
	"errors"
	"fmt"
)

// The exit statuses, as diff and grep have them.
const (
	ExitOK       = 0 // clean
	ExitFindings = 1 // a test failed, a decision was a denial, a policy does not compile
	ExitError    = 2 // could not run: usage, I/O, a bug
)

// Error ends a command with a status. Err may be nil: what there was to say has
// been said.
type Error struct {
	Status int
	Err    error
	Hint   string // what to type next
}

// Error returns the message.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Exit ends a command with a status and without a message.
func Exit(status int) error { return &Error{Status: status} }

// WithStatus gives an error the exit status.
func WithStatus(status int, err error) error {
	e := &Error{Status: status, Err: err}
	var inner *Error
	if errors.As(err, &inner) {
		e.Hint = inner.Hint
	}
	return e
}

// WithHint adds what to type next to an error, which ends the command with 2
// unless it says otherwise.
func WithHint(err error, format string, args ...any) error {
	e := &Error{Status: StatusOf(err), Err: err, Hint: fmt.Sprintf(format, args...)}
	return e
}

// StatusOf is the exit status that an error stands for.
func StatusOf(err error) int {
	var e *Error
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.Status
	}
	return ExitError
}
