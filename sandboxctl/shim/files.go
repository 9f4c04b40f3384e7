package shim

import (
	"encoding/binary"
	"path"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
)

// opening is an open, however it was asked for.
type opening struct {
	dirfd   int
	file    string
	flags   int
	mode    uint32
	resolve uint64
}

func (c *call) openat() {
	if c.int(2)&unix.O_PATH != 0 {
		c.resume() // the flags are in a register, and a name alone gives nothing
		return
	}
	file, err := c.path(1)
	if err != nil {
		c.answer(err)
		return
	}
	c.serve(opening{dirfd: c.int(0), file: file, flags: c.int(2), mode: uint32(c.n.Args[3])})
}

// resolveCached is RESOLVE_CACHED of openat2(2).
const resolveCached = 0x20

// openat2 reads its flags from memory, once. What it opens for a name only
// cannot be handed over, and cannot be let through: another thread may change
// the flags. Programs fall back to openat.
func (c *call) openat2() {
	size := c.n.Args[3]
	if size < 24 || size > maxPath {
		c.answer(unix.EINVAL)
		return
	}
	how, err := c.bytes(2, int(size))
	if err != nil {
		c.answer(err)
		return
	}
	for _, b := range how[24:] {
		if b != 0 {
			c.answer(unix.E2BIG)
			return
		}
	}
	ne := binary.NativeEndian
	o := opening{dirfd: c.int(0), flags: int(ne.Uint64(how)), mode: uint32(ne.Uint64(how[8:])), resolve: ne.Uint64(how[16:])}
	switch {
	case o.flags&unix.O_PATH != 0:
		err = unix.ENOSYS
	case o.resolve&resolveCached != 0:
		err = unix.EAGAIN
	default:
		o.file, err = c.path(1)
	}
	if err != nil {
		c.answer(err)
		return
	}
	c.serve(o)
}

// serve decides an open and hands over the descriptor. A file that appears while
// it is being created is looked at again.
func (c *call) serve(o opening) {
	for range maxLinks {
		err := c.try(o)
		if err == errAgain {
			continue
		}
		if err != nil {
			c.answer(err)
		}
		return
	}
	c.answer(unix.EACCES)
}

// errAgain says that names changed while one was being created.
const errAgain = unix.Errno(0x7ffe)

// try answers the call itself unless it returns an error.
func (c *call) try(o opening) error {
	creating := o.flags&unix.O_CREAT != 0
	follow := o.flags&unix.O_NOFOLLOW == 0 && (!creating || o.flags&unix.O_EXCL == 0)
	p, err := c.find(o, follow)
	if err == unix.ENOENT && creating {
		return c.create(o, follow)
	}
	if err != nil {
		return err
	}
	defer p.close()
	if !p.exists() {
		if creating {
			return c.create(o, follow)
		}
		return unix.ENOENT
	}
	return c.openExisting(o, p)
}

// find locates what an open names, under the limits that openat2 was given.
func (c *call) find(o opening, follow bool) (*place, error) {
	if o.resolve == 0 {
		return c.locate(o.dirfd, o.file, follow)
	}
	base := "/"
	if o.file == "" {
		return nil, unix.ENOENT
	}
	if o.file[0] != '/' || o.resolve&(unix.RESOLVE_IN_ROOT|unix.RESOLVE_BENEATH) != 0 {
		var err error
		if base, err = c.base(o.dirfd); err != nil {
			return nil, err
		}
	}
	dir, err := c.s.open(base, true)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: o.resolve | unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	if c.s.opts.Root != "" && o.resolve&(unix.RESOLVE_IN_ROOT|unix.RESOLVE_BENEATH) == 0 {
		return nil, unix.ENOSYS // links would be the supervisor's own
	}
	fd, err := unix.Openat2(dir, o.file, &how)
	if err != nil {
		return nil, err
	}
	p := &place{fd: fd, parent: noFile, asked: path.Join(base, o.file)}
	if err := p.settle(); err != nil {
		p.close()
		return nil, err
	}
	if c.inProc(p) {
		p.close()
		return nil, unix.EXDEV
	}
	return p, nil
}

// operation is what an open does to a file that exists.
func operation(flags int, dir bool) schemas.FileOp {
	switch {
	case flags&unix.O_TMPFILE == unix.O_TMPFILE:
		return schemas.OpCreate
	case flags&unix.O_TRUNC != 0:
		return schemas.OpTruncate
	case flags&unix.O_ACCMODE != unix.O_RDONLY:
		return schemas.OpWrite
	case dir:
		return schemas.OpList
	}
	return schemas.OpRead
}

func (c *call) openExisting(o opening, p *place) error {
	creating, temporary := o.flags&unix.O_CREAT != 0, o.flags&unix.O_TMPFILE == unix.O_TMPFILE
	switch {
	case creating && o.flags&unix.O_EXCL != 0 && !temporary:
		return unix.EEXIST
	case p.kind() == unix.S_IFLNK:
		return unix.ELOOP
	case p.dir() && !temporary && (creating || o.flags&(unix.O_ACCMODE|unix.O_TRUNC) != 0):
		return unix.EISDIR
	case !p.dir() && o.flags&unix.O_DIRECTORY != 0:
		return unix.ENOTDIR
	case p.kind() == unix.S_IFSOCK:
		return unix.ENXIO
	case p.anonymous:
		return c.hand(o, p)
	}
	d := c.files(operation(o.flags, p.dir()), p, nil)
	if !d.Passes() {
		return unix.EACCES
	}
	// What the baseline lets everyone read is in every Landlock domain: no thread
	// of the domain needs to open it.
	p.common = d.Rule == schemas.RuleBaseline && d.Allow && o.flags&(unix.O_ACCMODE|unix.O_TRUNC) == unix.O_RDONLY
	return c.hand(o, p)
}

// hand opens the object itself, whatever its name is by now, and hands it over.
func (c *call) hand(o opening, p *place) error {
	flags := o.flags&^(unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW) | unix.O_CLOEXEC | unix.O_NOCTTY
	if o.flags&unix.O_TMPFILE == unix.O_TMPFILE {
		flags |= o.flags & unix.O_EXCL
	}
	if p.kind() == unix.S_IFCHR && p.stat.Rdev == unix.Mkdev(5, 0) {
		tty, err := c.terminal()
		if err != nil {
			return err
		}
		p.close()
		*p = *tty
	}
	file := p.self()
	open := func() error { return c.inject(unix.AT_FDCWD, file, flags, o) }
	switch {
	case !c.valid():
		return unix.ESRCH
	case p.own, p.anonymous, p.common && (p.kind() == unix.S_IFREG || p.dir()):
		return open() // the caller's own, which a Landlock domain of its own does not reach
	case p.kind() == unix.S_IFIFO:
		return c.patiently(open)
	}
	return c.s.openers.do(open)
}

// inject opens and hands over; it answers the call unless it returns an error.
func (c *call) inject(dirfd int, file string, flags int, o opening) error {
	fd, err := unix.Openat(dirfd, file, flags, o.mode&0o7777)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return sys.Inject(c.s.opts.Listener, c.n.ID, fd, o.flags&unix.O_CLOEXEC != 0)
}

// create makes a file that is not there. Only a name that nothing has is
// created; so no object that was not judged is opened.
func (c *call) create(o opening, follow bool) error {
	c.s.names.RLock()
	defer c.s.names.RUnlock()
	if o.resolve != 0 {
		return c.createBeneath(o)
	}
	asked, err := c.absolute(o.dirfd, o.file)
	if err != nil {
		return err
	}
	if asked[len(asked)-1] == '/' {
		return unix.EISDIR
	}
	p, err := c.walk(asked, follow)
	if err != nil {
		return err
	}
	defer p.close()
	if p.exists() {
		return errAgain
	}
	return c.createAt(o, p)
}

// createBeneath is create for openat2 with limits: the directory is found under
// them, and a link at the end is not followed.
func (c *call) createBeneath(o opening) error {
	name := path.Base(o.file)
	dir := o
	dir.file = path.Dir(o.file)
	at, err := c.find(dir, true)
	if err != nil {
		return err
	}
	p, err := child(at, name, path.Join(at.asked, name))
	if err != nil {
		return err
	}
	defer p.close()
	if p.exists() {
		if p.kind() == unix.S_IFLNK {
			return unix.ELOOP
		}
		return errAgain
	}
	return c.createAt(o, p)
}

func (c *call) createAt(o opening, p *place) error {
	if err := c.file(schemas.OpCreate, p); err != nil {
		return err
	}
	ids, err := c.identity()
	if err != nil {
		return err
	}
	if !c.valid() {
		return unix.ESRCH
	}
	flags := o.flags | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NOCTTY
	err = c.s.openers.with(ids.umask, func() error { return c.inject(p.parent, p.name, flags, o) })
	if err == unix.EEXIST && o.flags&unix.O_EXCL == 0 {
		return errAgain
	}
	return err
}
