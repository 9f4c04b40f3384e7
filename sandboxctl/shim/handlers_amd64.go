package shim

import "golang.org/x/sys/unix"

var handlersOld = map[int]func(*call){
	unix.SYS_OPEN:    (*call).openOld,
	unix.SYS_CREAT:   (*call).creat,
	unix.SYS_MKDIR:   answered(func(c *call) error { return c.mkdir(unix.AT_FDCWD, 0, c.n.Args[1]) }),
	unix.SYS_RMDIR:   answered(func(c *call) error { return c.unlink(unix.AT_FDCWD, 0, unix.AT_REMOVEDIR) }),
	unix.SYS_MKNOD:   answered(func(c *call) error { return c.mknod(unix.AT_FDCWD, 0, c.n.Args[1], c.n.Args[2]) }),
	unix.SYS_SYMLINK: answered(func(c *call) error { return c.symlink(unix.AT_FDCWD, 1) }),
	unix.SYS_UNLINK:  answered(func(c *call) error { return c.unlink(unix.AT_FDCWD, 0, 0) }),
	unix.SYS_RENAME:  answered(func(c *call) error { return c.rename(unix.AT_FDCWD, 0, unix.AT_FDCWD, 1, 0) }),
	unix.SYS_LINK:    answered(func(c *call) error { return c.hardlink(unix.AT_FDCWD, 0, unix.AT_FDCWD, 1, 0) }),

	unix.SYS_CHMOD:  answered(func(c *call) error { p, err := c.plain(true); return c.chmod(p, err, c.n.Args[1]) }),
	unix.SYS_CHOWN:  answered(func(c *call) error { p, err := c.plain(true); return c.chown(p, err, c.int(1), c.int(2)) }),
	unix.SYS_LCHOWN: answered(func(c *call) error { p, err := c.plain(false); return c.chown(p, err, c.int(1), c.int(2)) }),
	unix.SYS_UTIME: answered(func(c *call) error {
		times, err := c.timespecs(1, 0)
		return c.dated(unix.AT_FDCWD, 0, times, err)
	}),
	unix.SYS_UTIMES: answered(func(c *call) error {
		times, err := c.timespecs(1, 1e6)
		return c.dated(unix.AT_FDCWD, 0, times, err)
	}),
	unix.SYS_FUTIMESAT: answered(func(c *call) error {
		times, err := c.timespecs(2, 1e6)
		return c.dated(c.int(0), 1, times, err)
	}),
}

// plain locates the path that is the first argument.
func (c *call) plain(follow bool) (*place, error) { return c.object(unix.AT_FDCWD, 0, follow, false) }

func (c *call) dated(dirfd, arg int, times []unix.Timespec, err error) error {
	if err != nil {
		return err
	}
	if c.n.Args[arg] == 0 {
		p, err := c.descriptor(dirfd)
		return c.times(p, err, times)
	}
	p, err := c.object(dirfd, arg, true, false)
	return c.times(p, err, times)
}

func (c *call) openOld() {
	if c.int(1)&unix.O_PATH != 0 {
		c.resume() // as in openat
		return
	}
	c.openPlain(c.int(1), uint32(c.n.Args[2]))
}

func (c *call) creat() { c.openPlain(unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC, uint32(c.n.Args[1])) }

func (c *call) openPlain(flags int, mode uint32) {
	file, err := c.path(0)
	if err != nil {
		c.answer(err)
		return
	}
	c.serve(opening{dirfd: unix.AT_FDCWD, file: file, flags: flags, mode: mode})
}
