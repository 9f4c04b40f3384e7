package shim

import (
	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/schemas"
)

// naming makes, moves or removes names. act runs on an opener thread.
func (c *call) naming(op schemas.FileOp, p *place, umask bool, act func() error) error {
	c.s.names.RLock()
	defer c.s.names.RUnlock()
	if err := c.file(op, p); err != nil {
		return err
	}
	if !umask {
		return c.confirmed(act)
	}
	ids, err := c.identity()
	if err != nil {
		return err
	}
	if !c.valid() {
		return unix.ESRCH
	}
	return c.s.openers.with(ids.umask, act)
}

// confirmed runs act on an opener thread if the caller still waits.
func (c *call) confirmed(act func() error) error {
	if !c.valid() {
		return unix.ESRCH
	}
	return c.s.openers.do(act)
}

// target locates a name that a call takes as a directory and a path.
func (c *call) target(dirfd, arg int) (*place, error) {
	file, err := c.path(arg)
	if err != nil {
		return nil, err
	}
	return c.entry(dirfd, file)
}

func (c *call) mkdir(dirfd, arg int, mode uint64) error {
	p, err := c.target(dirfd, arg)
	if err != nil {
		if err == unix.EBUSY || err == unix.ENOTEMPTY {
			return unix.EEXIST
		}
		return err
	}
	defer p.close()
	if p.exists() {
		return unix.EEXIST
	}
	return c.naming(schemas.OpCreate, p, true, func() error { return unix.Mkdirat(p.parent, p.name, uint32(mode)&0o7777) })
}

func (c *call) mknod(dirfd, arg int, mode, dev uint64) error {
	switch mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		return unix.EPERM
	case 0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK:
	default:
		return unix.EINVAL
	}
	p, err := c.target(dirfd, arg)
	if err != nil {
		return err
	}
	defer p.close()
	if p.exists() {
		return unix.EEXIST
	}
	return c.naming(schemas.OpMknod, p, true, func() error { return unix.Mknodat(p.parent, p.name, uint32(mode), int(dev)) })
}

func (c *call) symlink(dirfd, arg int) error {
	text, err := c.path(0)
	if err != nil {
		return err
	}
	if text == "" {
		return unix.ENOENT
	}
	p, err := c.target(dirfd, arg)
	if err != nil {
		return err
	}
	defer p.close()
	if p.exists() {
		return unix.EEXIST
	}
	return c.naming(schemas.OpCreate, p, false, func() error { return unix.Symlinkat(text, p.parent, p.name) })
}

func (c *call) unlink(dirfd, arg, flags int) error {
	if flags&^unix.AT_REMOVEDIR != 0 {
		return unix.EINVAL
	}
	p, err := c.target(dirfd, arg)
	if err != nil {
		return err
	}
	defer p.close()
	switch {
	case !p.exists():
		return unix.ENOENT
	case p.dir() && flags == 0:
		return unix.EISDIR
	case !p.dir() && flags != 0:
		return unix.ENOTDIR
	}
	return c.naming(schemas.OpDelete, p, false, func() error { return unix.Unlinkat(p.parent, p.name, flags) })
}

// rename holds the names for itself, so that what moves is what was judged.
func (c *call) rename(dirfd, arg, newdir, newarg int, flags uint) error {
	if flags&^(unix.RENAME_NOREPLACE|unix.RENAME_EXCHANGE) != 0 {
		return unix.EINVAL
	}
	c.s.names.Lock()
	defer c.s.names.Unlock()
	from, err := c.target(dirfd, arg)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := c.target(newdir, newarg)
	if err != nil {
		return err
	}
	defer to.close()
	switch {
	case !from.exists(), flags&unix.RENAME_EXCHANGE != 0 && !to.exists():
		return unix.ENOENT
	case flags&unix.RENAME_NOREPLACE != 0 && to.exists():
		return unix.EEXIST
	}
	if err := c.both(schemas.OpRename, from, to); err != nil {
		return err
	}
	if from.dir() || flags&unix.RENAME_EXCHANGE != 0 && to.dir() {
		if err := c.movable(from, to); err != nil {
			return err
		}
	}
	return c.confirmed(func() error { return unix.Renameat2(from.parent, from.name, to.parent, to.name, flags) })
}

// movable refuses to move a directory where a rule of the policy means other
// things below the new name than below the old: what is blocked could be read
// there, or come to stand where something is blocked.
func (c *call) movable(from, to *place) error {
	f := c.s.current.Load()
	for _, g := range f.guarded {
		if !g.Same(from.path, to.path) {
			return c.refuse(schemas.OpRename, from, to, "moving the directory would carry names out of, or into, "+g.Source)
		}
	}
	if !f.trees(from.path) || !f.trees(to.path) {
		return c.refuse(schemas.OpRename, from, to, "not everything below the directory is writable")
	}
	return nil
}

// hardlink gives the object itself another name.
func (c *call) hardlink(dirfd, arg, newdir, newarg, flags int) error {
	if flags&^(unix.AT_SYMLINK_FOLLOW|unix.AT_EMPTY_PATH) != 0 {
		return unix.EINVAL
	}
	c.s.names.Lock()
	defer c.s.names.Unlock()
	from, err := c.object(dirfd, arg, flags&unix.AT_SYMLINK_FOLLOW != 0, flags&unix.AT_EMPTY_PATH != 0)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := c.target(newdir, newarg)
	if err != nil {
		return err
	}
	defer to.close()
	switch {
	case !from.exists():
		return unix.ENOENT
	case from.dir():
		return unix.EPERM
	case to.exists():
		return unix.EEXIST
	case from.anonymous:
		return unix.EXDEV
	}
	if from.stat.Nlink == 0 {
		err = c.file(schemas.OpCreate, to) // a file of O_TMPFILE gets its first name
	} else {
		err = c.both(schemas.OpLink, from, to)
	}
	if err != nil {
		return err
	}
	return c.confirmed(func() error {
		return unix.Linkat(unix.AT_FDCWD, from.self(), to.parent, to.name, unix.AT_SYMLINK_FOLLOW)
	})
}

// object locates what a path, or a descriptor where the path is empty, names.
func (c *call) object(dirfd, arg int, follow, empty bool) (*place, error) {
	file, err := c.path(arg)
	if err != nil {
		return nil, err
	}
	if file == "" && empty {
		return c.descriptor(dirfd)
	}
	return c.locate(dirfd, file, follow)
}

func (c *call) truncate() error {
	p, err := c.object(unix.AT_FDCWD, 0, true, false)
	if err != nil {
		return err
	}
	defer p.close()
	switch {
	case !p.exists():
		return unix.ENOENT
	case p.dir():
		return unix.EISDIR
	case p.kind() != unix.S_IFREG:
		return unix.EINVAL
	}
	if err := c.file(schemas.OpTruncate, p); err != nil {
		return err
	}
	length := int64(c.n.Args[1])
	return c.confirmed(func() error { return unix.Truncate(p.self(), length) })
}
