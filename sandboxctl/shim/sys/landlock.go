package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LandlockABI returns the version of Landlock that the kernel offers, 0 if none
// (landlock(7)).
func LandlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// Ruleset says what a Landlock domain handles: everything handled is denied
// unless a rule allows it. The zero value of a field handles nothing.
type Ruleset struct{ FS, Net, Scoped uint64 }

// CreateRuleset returns a descriptor of a new ruleset.
func CreateRuleset(r Ruleset) (int, error) {
	attr := struct{ fs, net, scoped uint64 }{r.FS, r.Net, r.Scoped}
	size := unsafe.Sizeof(attr)
	switch {
	case r.Scoped != 0:
	case r.Net != 0:
		size = 16
	default:
		size = 8
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return -1, fmt.Errorf("create Landlock ruleset: %w", errno)
	}
	return int(fd), nil
}

// AllowBeneath allows rights on the object that fd refers to and, if it is a
// directory, on everything below it.
func AllowBeneath(ruleset, fd int, rights uint64) error {
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return fmt.Errorf("add Landlock rule: %w", errno)
	}
	return nil
}

// RestrictThread puts the calling thread under the ruleset, for good. The thread
// has no_new_privs set.
func RestrictThread(ruleset int) error {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("enter Landlock domain: %w", errno)
	}
	return nil
}
