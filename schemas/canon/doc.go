// Package canon turns requests, file operations and command lines into the
// parts of a DecisionInput. It is the only code that builds one, so the gateway,
// the exec shim, eval and the tests of a policy ask the same question for the
// same thing.
//
// What two programs could read differently is refused, not repaired; where
// origins are known to differ, every reading is returned, and every one must be
// allowed.
//
// The package does no I/O and reads no clock.
package canon
