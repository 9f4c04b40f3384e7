package shim

import (
	"golang.org/x/sys/unix"
)

// handlers answer calls by number; handlersOld has the calls that only older
// machines know.
var handlers = merge(map[int]func(*call){
	unix.SYS_EXECVE:   (*call).execve,
	unix.SYS_EXECVEAT: (*call).execveat,
	unix.SYS_CONNECT:  (*call).connect,
	unix.SYS_OPENAT:   (*call).openat,
	unix.SYS_OPENAT2:  (*call).openat2,
	unix.SYS_MKDIRAT:  answered(func(c *call) error { return c.mkdir(c.int(0), 1, c.n.Args[2]) }),
	unix.SYS_MKNODAT:  answered(func(c *call) error { return c.mknod(c.int(0), 1, c.n.Args[2], c.n.Args[3]) }),
	unix.SYS_SYMLINKAT: answered(func(c *call) error {
		return c.symlink(c.int(1), 2)
	}),
	unix.SYS_UNLINKAT: answered(func(c *call) error { return c.unlink(c.int(0), 1, c.int(2)) }),
	unix.SYS_RENAMEAT: answered(func(c *call) error { return c.rename(c.int(0), 1, c.int(2), 3, 0) }),
	unix.SYS_RENAMEAT2: answered(func(c *call) error {
		return c.rename(c.int(0), 1, c.int(2), 3, uint(uint32(c.n.Args[4])))
	}),
	unix.SYS_LINKAT:   answered(func(c *call) error { return c.hardlink(c.int(0), 1, c.int(2), 3, c.int(4)) }),
	unix.SYS_TRUNCATE: answered((*call).truncate),

	unix.SYS_FCHMOD:    answered(func(c *call) error { p, err := c.descriptor(c.int(0)); return c.chmod(p, err, c.n.Args[1]) }),
	unix.SYS_FCHMODAT:  answered(func(c *call) error { p, err := c.object(c.int(0), 1, true, false); return c.chmod(p, err, c.n.Args[2]) }),
	unix.SYS_FCHMODAT2: answered(func(c *call) error { p, err := c.at(3); return c.chmod(p, err, c.n.Args[2]) }),
	unix.SYS_FCHOWN:    answered(func(c *call) error { p, err := c.descriptor(c.int(0)); return c.chown(p, err, c.int(1), c.int(2)) }),
	unix.SYS_FCHOWNAT:  answered(func(c *call) error { p, err := c.at(4); return c.chown(p, err, c.int(2), c.int(3)) }),
	unix.SYS_UTIMENSAT: answered((*call).utimensat),

	unix.SYS_SETXATTR:     answered(func(c *call) error { p, err := c.object(unix.AT_FDCWD, 0, true, false); return c.setxattr(p, err) }),
	unix.SYS_LSETXATTR:    answered(func(c *call) error { p, err := c.object(unix.AT_FDCWD, 0, false, false); return c.setxattr(p, err) }),
	unix.SYS_FSETXATTR:    answered(func(c *call) error { p, err := c.descriptor(c.int(0)); return c.setxattr(p, err) }),
	unix.SYS_REMOVEXATTR:  answered(func(c *call) error { p, err := c.object(unix.AT_FDCWD, 0, true, false); return c.removexattr(p, err) }),
	unix.SYS_LREMOVEXATTR: answered(func(c *call) error { p, err := c.object(unix.AT_FDCWD, 0, false, false); return c.removexattr(p, err) }),
	unix.SYS_FREMOVEXATTR: answered(func(c *call) error { p, err := c.descriptor(c.int(0)); return c.removexattr(p, err) }),
}, handlersOld)

func merge(a, b map[int]func(*call)) map[int]func(*call) {
	for nr, h := range b {
		a[nr] = h
	}
	return a
}

func answered(f func(*call) error) func(*call) {
	return func(c *call) { c.answer(f(c)) }
}

// at locates a directory, a path and flags, as the newer calls take them.
func (c *call) at(flagsArg int) (*place, error) {
	flags := c.int(flagsArg)
	if flags&^(unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return nil, unix.EINVAL
	}
	return c.object(c.int(0), 1, flags&unix.AT_SYMLINK_NOFOLLOW == 0, flags&unix.AT_EMPTY_PATH != 0)
}

// utimensat without a path changes what the descriptor refers to.
func (c *call) utimensat() error {
	times, err := c.timespecs(2, 1e9)
	if err != nil {
		return err
	}
	var p *place
	if c.n.Args[1] == 0 {
		p, err = c.descriptor(c.int(0))
	} else {
		p, err = c.at(3)
	}
	return c.times(p, err, times)
}
