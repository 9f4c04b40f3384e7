package shim

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many links the kernel follows in one path.
const maxLinks = 40

// walker follows a path one name at a time, as the caller would: "self" below
// /proc is the caller, and the links that the kernel makes up there lead where
// the caller's own lead. Those of other processes are refused.
type walker struct {
	c     *call
	asked string
	at    int    // O_PATH descriptor of the directory reached
	path  string // its path
	todo  []string
	links int
	seen  []string // links that were followed, as paths
}

func (c *call) walk(asked string, follow bool) (*place, error) {
	p, _, err := c.walkSeen(asked, follow)
	return p, err
}

// walkSeen also returns the links on the way, first the first.
func (c *call) walkSeen(asked string, follow bool) (*place, []string, error) {
	root, err := unix.Dup(c.s.root)
	if err != nil {
		return nil, nil, err
	}
	unix.CloseOnExec(root)
	w := &walker{c: c, asked: asked, at: root, path: "/", todo: strings.Split(asked, "/")}
	p, err := w.run(follow)
	if err != nil {
		_ = unix.Close(w.at)
		return nil, nil, err
	}
	if p.fd != w.at && p.parent != w.at {
		_ = unix.Close(w.at)
	}
	return p, w.seen, nil
}

func (w *walker) run(follow bool) (*place, error) {
	for len(w.todo) > 0 {
		name := w.todo[0]
		w.todo = w.todo[1:]
		var err error
		var p *place
		switch {
		case name == "" || name == ".":
			// A slash at the end asks for a directory.
			if len(w.todo) == 0 && !w.isDir() {
				return nil, unix.ENOTDIR
			}
		case name == "..":
			err = w.up()
		default:
			p, err = w.step(name, follow)
		}
		if p != nil || err != nil {
			return p, err
		}
	}
	p := &place{fd: w.at, parent: noFile, asked: w.asked, own: w.ownProc()}
	return p, p.settle()
}

func (w *walker) isDir() bool {
	var st unix.Stat_t
	return unix.Fstat(w.at, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

func (w *walker) up() error {
	if w.path == "/" {
		return nil
	}
	fd, err := unix.Openat(w.at, "..", unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	w.move(fd, path.Dir(w.path))
	return nil
}

func (w *walker) move(fd int, at string) {
	_ = unix.Close(w.at)
	w.at, w.path = fd, at
}

// last tells whether only slashes follow.
func (w *walker) last() bool {
	for _, n := range w.todo {
		if n != "" {
			return false
		}
	}
	return true
}

// step goes to a name. It returns a place where the path ends there: at a link
// that is not followed, or where nothing has the name.
func (w *walker) step(name string, follow bool) (*place, error) {
	if w.path == "/proc" && (name == "self" || name == "thread-self") {
		return nil, w.self(name)
	}
	fd, err := unix.Openat(w.at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == unix.ENOENT && w.last() {
		return &place{fd: noFile, parent: w.at, name: name, path: path.Join(w.path, name), asked: w.asked}, nil
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK || !follow && w.last() {
		w.move(fd, path.Join(w.path, name))
		return nil, nil
	}
	defer unix.Close(fd)
	return nil, w.follow(name, fd)
}

// self puts the caller's number for "self", as its own /proc shows it.
func (w *walker) self(name string) error {
	ids, err := w.c.identity()
	if err != nil {
		return err
	}
	w.todo = append([]string{strconv.Itoa(ids.inner)}, w.todo...)
	if name == "thread-self" {
		w.todo = append([]string{w.todo[0], "task", strconv.Itoa(ids.innerThread)}, w.todo[1:]...)
	}
	return nil
}

func (w *walker) follow(name string, fd int) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	w.seen = append(w.seen, path.Join(w.path, name))
	if strings.HasPrefix(w.path, "/proc/") && w.procfs() && !w.plainProcLink(name) {
		return w.magic(name)
	}
	buf := make([]byte, maxPath)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return err
	}
	if n == 0 {
		return unix.ENOENT
	}
	target := string(buf[:n])
	if target[0] == '/' {
		root, err := unix.Dup(w.c.s.root)
		if err != nil {
			return err
		}
		unix.CloseOnExec(root)
		w.move(root, "/")
	}
	w.todo = append(strings.Split(target, "/"), w.todo...)
	return nil
}

func (w *walker) procfs() bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(w.at, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC
}

// plainProcLink tells links below /proc that are text from those that the kernel
// makes up: a process's entry holds none of the former.
func (w *walker) plainProcLink(string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(w.path, "/proc/"), "/")
	_, err := strconv.Atoi(first)
	return err != nil
}

// magic goes where a link leads that the kernel makes up. The supervisor may
// follow every process's; the caller gets its own.
func (w *walker) magic(name string) error {
	if !w.ownProc() {
		return unix.EACCES
	}
	fd, err := unix.Openat(w.at, name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	at, err := os.Readlink(selfPath(fd))
	if err != nil {
		_ = unix.Close(fd)
		return errnoOf(err)
	}
	w.move(fd, strings.TrimSuffix(at, deletedSuffix))
	return nil
}

// ownProc tells whether the walk is below the caller's own entry in /proc.
func (w *walker) ownProc() bool {
	rest, ok := strings.CutPrefix(w.path, "/proc/")
	if !ok {
		return false
	}
	ids, err := w.c.identity()
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(rest, "/")
	return first == strconv.Itoa(ids.inner)
}
