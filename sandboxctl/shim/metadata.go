package shim

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/schemas"
)

// descriptor locates what a descriptor of the caller refers to.
func (c *call) descriptor(fd int) (*place, error) {
	if fd == unix.AT_FDCWD {
		return c.locate(fd, ".", true)
	}
	if fd < 0 {
		return nil, unix.EBADF
	}
	own, err := unix.Open(c.proc("fd/"+strconv.Itoa(fd)), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return nil, unix.EBADF
	}
	if err != nil {
		return nil, err
	}
	p := &place{fd: own, parent: noFile}
	if err := p.settle(); err != nil {
		p.close()
		return nil, err
	}
	p.asked = p.path
	return p, nil
}

// change decides a change of what a place's object carries and makes it. link
// changes a link itself, where nothing was followed.
func (c *call) change(op schemas.FileOp, p *place, act func(self string) error, link func(fd int) error) error {
	defer p.close()
	if !p.exists() {
		return unix.ENOENT
	}
	if !p.anonymous {
		if err := c.file(op, p); err != nil {
			return err
		}
	}
	if p.kind() == unix.S_IFLNK {
		return c.confirmed(func() error { return link(p.fd) })
	}
	return c.confirmed(func() error { return act(p.self()) })
}

func unsupported(int) error { return unix.EOPNOTSUPP }

func (c *call) chmod(p *place, err error, mode uint64) error {
	if err != nil {
		return err
	}
	return c.change(schemas.OpChmod, p, func(self string) error { return unix.Chmod(self, uint32(mode)&0o7777) }, unsupported)
}

func (c *call) chown(p *place, err error, uid, gid int) error {
	if err != nil {
		return err
	}
	return c.change(schemas.OpChown, p, func(self string) error { return unix.Chown(self, uid, gid) }, func(fd int) error {
		return unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH)
	})
}

// times sets access and modification time; nil is now.
func (c *call) times(p *place, err error, times []unix.Timespec) error {
	if err != nil {
		return err
	}
	set := func(dirfd int, file string, flags int) error {
		var at unsafe.Pointer
		if times != nil {
			at = unsafe.Pointer(&times[0])
		}
		name, err := unix.BytePtrFromString(file)
		if err != nil {
			return err
		}
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(dirfd), uintptr(unsafe.Pointer(name)), uintptr(at), uintptr(flags), 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	}
	return c.change(schemas.OpUtimes, p,
		func(self string) error { return set(unix.AT_FDCWD, self, 0) },
		func(fd int) error { return set(fd, "", unix.AT_EMPTY_PATH) })
}

// timespecs reads two times of seconds and a fraction, of which unit make a
// second; unit 0 reads two times of whole seconds (utime).
func (c *call) timespecs(arg int, unit int64) ([]unix.Timespec, error) {
	if c.n.Args[arg] == 0 {
		return nil, nil
	}
	size, ne := 32, binary.NativeEndian
	if unit == 0 {
		size = 16
	}
	b, err := c.bytes(arg, size)
	if err != nil {
		return nil, err
	}
	if unit == 0 {
		return []unix.Timespec{{Sec: int64(ne.Uint64(b))}, {Sec: int64(ne.Uint64(b[8:]))}}, nil
	}
	out := make([]unix.Timespec, 2)
	for i := range out {
		fraction := int64(ne.Uint64(b[16*i+8:]))
		if unit < 1e9 && (fraction < 0 || fraction >= unit) {
			return nil, unix.EINVAL
		}
		out[i] = unix.Timespec{Sec: int64(ne.Uint64(b[16*i:])), Nsec: fraction * (1e9 / unit)}
	}
	return out, nil
}

const (
	maxXattrName  = 256
	maxXattrValue = 64 << 10
)

func (c *call) setxattr(p *place, err error) error {
	if err != nil {
		return err
	}
	name, err := c.str(1, maxXattrName)
	if err != nil {
		p.close()
		return xattrError(err)
	}
	if c.n.Args[3] > maxXattrValue {
		p.close()
		return unix.E2BIG
	}
	value, err := c.bytes(2, int(c.n.Args[3]))
	if err != nil {
		p.close()
		return err
	}
	flags := c.int(4)
	return c.change(schemas.OpXattr, p, func(self string) error { return unix.Setxattr(self, name, value, flags) }, unsupported)
}

func (c *call) removexattr(p *place, err error) error {
	if err != nil {
		return err
	}
	name, err := c.str(1, maxXattrName)
	if err != nil {
		p.close()
		return xattrError(err)
	}
	return c.change(schemas.OpXattr, p, func(self string) error { return unix.Removexattr(self, name) }, unsupported)
}

func xattrError(err error) error {
	if strings.Contains(err.Error(), "bound") {
		return unix.ERANGE
	}
	return err
}
