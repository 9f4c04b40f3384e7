// Package filter builds the seccomp filter of the exec shim. It is pure: what it
// builds runs in a BPF interpreter in its tests before any kernel sees it.
//
// The filter is an allow-list. A call that is not in the tables gets ENOSYS, as
// if the kernel were older than it: tomorrow's way to open a file is no hole.
// Calls that are known and dangerous get EPERM, so that programs say something
// sensible. Calls that the policy decides notify the supervisor.
package filter
