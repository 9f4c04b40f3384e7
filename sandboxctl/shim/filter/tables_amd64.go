package filter

import "golang.org/x/sys/unix"

const (
	arch = unix.AUDIT_ARCH_X86_64
	// x32 is the bit of the 32-bit ABI's numbers.
	x32 = 0x40000000
)

// The calls that newer machines never had.
var (
	oldFileCalls = []int{
		unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_RENAME, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_UNLINK, unix.SYS_MKDIR,
		unix.SYS_RMDIR, unix.SYS_MKNOD,
	}
	oldMetadataCalls = []int{
		unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT,
	}
	oldHarmless = []int{
		unix.SYS_ACCESS, unix.SYS_ALARM, unix.SYS_ARCH_PRCTL, unix.SYS_DUP2, unix.SYS_EPOLL_CREATE, unix.SYS_EPOLL_WAIT,
		unix.SYS_EVENTFD, unix.SYS_FORK, unix.SYS_GETDENTS, unix.SYS_GETPGRP, unix.SYS_GETRLIMIT, unix.SYS_INOTIFY_INIT,
		unix.SYS_LSTAT, unix.SYS_MAP_SHADOW_STACK, unix.SYS_NEWFSTATAT, unix.SYS_PAUSE, unix.SYS_PIPE, unix.SYS_POLL,
		unix.SYS_READLINK, unix.SYS_SELECT, unix.SYS_SETRLIMIT, unix.SYS_SIGNALFD, unix.SYS_STAT, unix.SYS_TIME,
		unix.SYS_USTAT, unix.SYS_VFORK,
	}
)
