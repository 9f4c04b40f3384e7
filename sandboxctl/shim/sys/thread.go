package sys

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaskSignals blocks every signal on the calling thread. The runtime preempts
// goroutines by signals, and one at the wrong moment breaks an injected
// descriptor.
func MaskSignals() error {
	all := ^uint64(0)
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), 0, 8, 0, 0)
	if errno != 0 {
		return fmt.Errorf("mask signals: %w", errno)
	}
	return nil
}

// DropThreadCapabilities empties the capability sets of the calling thread, so
// that what it does for a sandbox is done with the sandbox's rights.
func DropThreadCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// DropBounding empties the bounding and the ambient set of the calling thread,
// so that no program it executes gains any. It does what it may: without
// capabilities there is nothing to take away.
func DropBounding() {
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	for c := uintptr(0); c <= 63; c++ {
		if unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) == unix.EINVAL {
			return
		}
	}
}

// NoNewPrivileges sets no_new_privs on the calling thread.
func NoNewPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}

// OwnFS gives the calling thread a umask and working directory of its own.
func OwnFS() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare the umask: %w", err)
	}
	return nil
}
