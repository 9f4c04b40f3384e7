package shim

import (
	"net/netip"

	"github.com/openshell-policy/openshell/schemas"
)

// Options describe a sandbox to its supervisor. Process numbers are the
// supervisor's own.
type Options struct {
	Listener int // the supervisor keeps a duplicate
	Config   Config
	// Init is the process whose confined thread starts the commands.
	Init int
	// Root is where the sandbox's root directory is seen: "/proc/PID/root" of
	// Init, or "" where both see the same.
	Root    string
	Policy  Policy
	Sandbox schemas.Sandbox
	// Diag is a socket of sys.DiagSocket that was opened in the sandbox's network
	// namespace, or -1 where that is the supervisor's own.
	Diag int
	// Record takes each record of the decision log; nil drops them. A sandboxed
	// process waits meanwhile. What cannot be recorded is denied.
	Record func(*schemas.Record) error
	// Reads records allowed reads of files too, not only changes and denials.
	Reads bool
}

// Entry is a command that the confined thread is about to execute: the child of
// Init that does so first with these arguments is exempt from allowed_commands.
type Entry struct {
	Path string // as given to execve
	Args []string
}

// Change says what a new policy does not reach in a running sandbox.
type Change struct {
	// RestartRequired are paths whose clauses the file mode or the Landlock
	// domain cannot follow. What the new policy denies there and the old one
	// did not is still denied in file mode trapped.
	RestartRequired []string
}

// Peer is who opened a connection.
type Peer struct {
	PID       int
	Binary    string   // resolved executable when it connected
	Ancestors []string // executables of its parents, nearest first
}

// Connection names a TCP connection by the ends that the sandboxed process sees.
type Connection struct{ Local, Remote netip.AddrPort }
