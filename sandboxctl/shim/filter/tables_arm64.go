package filter

import "golang.org/x/sys/unix"

const (
	arch = unix.AUDIT_ARCH_AARCH64
	x32  = 0 // there is no second ABI behind the same architecture
)

// Of the older calls this machine has few.
var (
	oldFileCalls     []int
	oldMetadataCalls []int
	oldHarmless      = []int{unix.SYS_FSTATAT, unix.SYS_GETRLIMIT, unix.SYS_SETRLIMIT}
)
