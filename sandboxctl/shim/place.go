package shim

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is what a path of the caller names: an object, or a name in a directory
// where nothing has it.
type place struct {
	fd     int // O_PATH descriptor of the object; noFile if there is none
	parent int // O_PATH descriptor of the directory; noFile if it was not asked for
	name   string
	path   string // of the object, every link resolved, as the sandbox sees it
	asked  string // as the caller gave it, absolute
	stat   unix.Stat_t
	// own says that the object is below the caller's own /proc entry, which only
	// the supervisor itself may open for it.
	own bool
	// common says that the baseline lets the sandbox read the object.
	common bool
	// anonymous says that the object has no path: a pipe, a socket, a memfd.
	anonymous bool
}

func (p *place) close() {
	for _, fd := range []*int{&p.fd, &p.parent} {
		if *fd >= 0 {
			_ = unix.Close(*fd)
			*fd = noFile
		}
	}
}

func (p *place) exists() bool { return p.fd >= 0 }

func (p *place) kind() uint32 { return p.stat.Mode & unix.S_IFMT }

func (p *place) dir() bool { return p.kind() == unix.S_IFDIR }

// lexical is the path as asked for, cleaned without regard to links.
func (p *place) lexical() string { return path.Clean(p.asked) }

// self is a path at which the supervisor opens the object again.
func (p *place) self() string { return selfPath(p.fd) }

func selfPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// deletedSuffix is what the kernel appends to the path of what was removed.
const deletedSuffix = " (deleted)"

// settle fills in what the descriptor tells.
func (p *place) settle() error {
	if err := unix.Fstat(p.fd, &p.stat); err != nil {
		return err
	}
	at, err := os.Readlink(p.self())
	if err != nil {
		return errnoOf(err)
	}
	if p.stat.Nlink == 0 && !strings.HasPrefix(at, "/memfd:") {
		at = strings.TrimSuffix(at, deletedSuffix)
	}
	p.path = at
	p.anonymous = !strings.HasPrefix(at, "/") || strings.HasPrefix(at, "/memfd:")
	return nil
}

// absolute joins a path to the directory that a descriptor of the caller names.
// It is not cleaned: ".." after a link is for the kernel to follow.
func (c *call) absolute(dirfd int, file string) (string, error) {
	switch {
	case file == "":
		return "", unix.ENOENT
	case file[0] == '/':
		return file, nil
	}
	base, err := c.base(dirfd)
	if err != nil {
		return "", err
	}
	if len(base)+1+len(file) >= maxPath {
		return "", unix.ENAMETOOLONG
	}
	return strings.TrimSuffix(base, "/") + "/" + file, nil
}

// base is the path of a directory that the caller has open, or of its working
// directory.
func (c *call) base(dirfd int) (string, error) {
	rest := "cwd"
	if dirfd != unix.AT_FDCWD {
		if dirfd < 0 {
			return "", unix.EBADF
		}
		rest = "fd/" + strconv.Itoa(dirfd)
	}
	at, err := c.link(rest)
	switch {
	case err == unix.ENOENT:
		return "", unix.EBADF
	case err != nil:
		return "", err
	case !strings.HasPrefix(at, "/"):
		return "", unix.ENOTDIR
	}
	return at, nil
}

// locate finds the object that a path names. Without follow a link at its end is
// itself the object.
func (c *call) locate(dirfd int, file string, follow bool) (*place, error) {
	asked, err := c.absolute(dirfd, file)
	if err != nil {
		return nil, err
	}
	p, err := c.direct(asked, follow)
	switch {
	case err == nil && !c.inProc(p):
		return p, nil
	case err == nil:
		p.close()
	case err == unix.ENOENT && c.surelyMissing(asked):
		return nil, err
	case err != unix.ELOOP && err != unix.ENOENT && err != unix.EXDEV && err != unix.EACCES:
		return nil, err
	}
	return c.walk(asked, follow)
}

// direct has the kernel follow the whole path. Links that the kernel makes up,
// below /proc, would be the supervisor's own: they are refused with ELOOP.
func (c *call) direct(asked string, follow bool) (*place, error) {
	fd, err := c.s.open(asked, follow)
	if err != nil {
		return nil, err
	}
	p := &place{fd: fd, parent: noFile, asked: asked}
	if err := p.settle(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// open opens a path of the sandbox for a name only.
func (s *Supervisor) open(file string, follow bool) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if !follow {
		how.Flags |= unix.O_NOFOLLOW
	}
	if s.opts.Root != "" {
		how.Resolve |= unix.RESOLVE_IN_ROOT
	}
	for {
		fd, err := unix.Openat2(s.root, file, &how)
		if err != unix.EAGAIN && err != unix.EINTR {
			return fd, err
		}
	}
}

func (c *call) inProc(p *place) bool { return p.path == "/proc" || strings.HasPrefix(p.path, "/proc/") }

// surelyMissing tells whether a path is missing in a directory that is there and
// is not below /proc, where the supervisor sees other names than the caller.
func (c *call) surelyMissing(asked string) bool {
	dir := path.Dir(strings.TrimRight(asked, "/"))
	if strings.HasPrefix(dir, "/proc") || strings.HasPrefix(dir, "/dev") {
		return false
	}
	p, err := c.direct(dir, true)
	if err != nil {
		return false
	}
	defer p.close()
	return !c.inProc(p) && p.dir()
}

// entry finds a name in a directory: for calls that make, move or remove one. A
// link at the end is not followed.
func (c *call) entry(dirfd int, file string) (*place, error) {
	asked, err := c.absolute(dirfd, file)
	if err != nil {
		return nil, err
	}
	trimmed := strings.TrimRight(asked, "/")
	name := path.Base(trimmed)
	switch {
	case trimmed == "" || name == ".":
		return nil, unix.EBUSY
	case name == "..":
		return nil, unix.ENOTEMPTY
	case len(name) > 255:
		return nil, unix.ENAMETOOLONG
	}
	dir, err := c.locate(unix.AT_FDCWD, trimmed[:len(trimmed)-len(name)], true)
	if err != nil {
		return nil, err
	}
	if !dir.dir() {
		dir.close()
		return nil, unix.ENOTDIR
	}
	return child(dir, name, asked)
}

// child finds a name in a directory that was located, whose descriptor it takes.
func child(dir *place, name, asked string) (*place, error) {
	p := &place{fd: noFile, parent: dir.fd, name: name, path: path.Join(dir.path, name), asked: asked, own: dir.own}
	fd, err := unix.Openat(dir.fd, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT {
		return p, nil
	}
	if err == nil {
		p.fd = fd
		err = unix.Fstat(fd, &p.stat)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}
