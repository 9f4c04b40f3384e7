// Package fault is what a runtime or the exec shim says when a sandbox cannot
// start or go on: each kind has a code of the OSP60xx range.
package fault

import "fmt"

// The codes; `openshell-policy explain CODE` says more.
const (
	CodeGateway    = "OSP6001" // the gateway cannot be reached
	CodeIdentity   = "OSP6002" // the gateway does not know the token
	CodeNoPolicy   = "OSP6003" // the gateway has no policy for the sandbox
	CodeDegraded   = "OSP6004" // the machine cannot enforce the policy
	CodeEntry      = "OSP6005" // the policy denies the command that was to start
	CodeWorkspace  = "OSP6006" // the workspace is no folder that can be used
	CodeTaken      = "OSP6007" // the sandbox's folder or group is in use
	CodeMany       = "OSP6008" // as many sandboxes run as may
	CodeNamespaces = "OSP6009" // the sandbox cannot be built
	CodeInstall    = "OSP6010" // the shim cannot be copied
)

// Codes lists the codes of this package.
func Codes() []string {
	return []string{
		CodeGateway, CodeIdentity, CodeNoPolicy, CodeDegraded, CodeEntry, CodeWorkspace, CodeTaken, CodeMany, CodeNamespaces, CodeInstall,
	}
}

// Error is a fault with its code.
type Error struct {
	Code string // OSP60xx
	Err  error
}

// Error returns the code and what is wrong.
func (e *Error) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// New returns a fault; the format is fmt.Errorf's.
func New(code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}
