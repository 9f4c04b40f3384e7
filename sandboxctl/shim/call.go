package shim

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
)

const (
	maxPath = 4096 // PATH_MAX, the NUL included
	noFile  = -1
)

// call is one notified system call and what is known of its caller. Every number
// and string of the caller is read once; what is decided is what is acted on.
type call struct {
	s      *Supervisor
	policy *Policy
	n      sys.Notification
	mem    *sys.Memory
	ids    *identity
}

// close releases what reading the caller took.
func (c *call) close() {
	if c.mem != nil {
		c.mem.Close()
		c.mem = nil
	}
}

func (c *call) memory() (*sys.Memory, error) {
	if c.mem == nil {
		m, err := sys.OpenMemory(c.n.PID)
		if err != nil {
			return nil, unix.EACCES // it cannot be read, so it cannot be judged
		}
		c.mem = m
	}
	return c.mem, nil
}

// str reads the string that an argument points to.
func (c *call) str(arg int, limit int) (string, error) {
	m, err := c.memory()
	if err != nil {
		return "", err
	}
	return m.String(c.n.Args[arg], limit)
}

// path reads a path argument.
func (c *call) path(arg int) (string, error) {
	p, err := c.str(arg, maxPath)
	if errors.Is(err, sys.ErrTooLong) {
		return "", unix.ENAMETOOLONG
	}
	return p, err
}

// bytes reads n bytes that an argument points to.
func (c *call) bytes(arg, n int) ([]byte, error) {
	m, err := c.memory()
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, m.Read(c.n.Args[arg], b)
}

func (c *call) int(arg int) int { return int(int32(c.n.Args[arg])) }

// valid tells whether the caller still waits, so that what was read of the
// process with its number was its own.
func (c *call) valid() bool { return sys.Valid(c.s.opts.Listener, c.n.ID) }

// proc is a path below the caller's entry in the supervisor's own /proc.
func (c *call) proc(rest string) string { return "/proc/" + strconv.Itoa(c.n.PID) + "/" + rest }

// link reads a link below the caller's entry: a directory or file of its own. A
// directory that was removed is not found.
func (c *call) link(rest string) (string, error) {
	p, err := os.Readlink(c.proc(rest))
	if err != nil {
		return "", errnoOf(err)
	}
	return p, nil
}

// identity is what /proc/TID/status says of a thread.
type identity struct {
	tgid, parent int
	inner        int // its process's number in its own pid namespace
	innerThread  int
	umask        uint32
}

func (c *call) identity() (*identity, error) {
	if c.ids != nil {
		return c.ids, nil
	}
	ids, err := readIdentity(c.n.PID)
	if err != nil {
		return nil, unix.EACCES
	}
	c.ids = ids
	return ids, nil
}

// process is the number of the caller's process: its own, where the thread is the
// first of it.
func (c *call) process() (int, error) {
	fd, err := unix.PidfdOpen(c.n.PID, 0)
	if err == nil {
		_ = unix.Close(fd)
		return c.n.PID, nil
	}
	ids, err := c.identity()
	if err != nil {
		return 0, err
	}
	return ids.tgid, nil
}

func readIdentity(tid int) (*identity, error) { return readIdentityBelow("", tid) }

// readIdentityBelow reads the /proc of another root; the numbers are those of its
// process namespace.
func readIdentityBelow(root string, tid int) (*identity, error) {
	var buf [4096]byte
	data, err := sys.ReadSmall(root+"/proc/"+strconv.Itoa(tid)+"/status", buf[:])
	if err != nil {
		return nil, err
	}
	ids := &identity{}
	for line := range bytes.Lines(data) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		switch string(name) {
		case "Umask":
			mask, _ := strconv.ParseUint(string(bytes.TrimSpace(rest)), 8, 32)
			ids.umask = uint32(mask)
		case "Tgid":
			ids.tgid = lastNumber(rest)
		case "PPid":
			ids.parent = lastNumber(rest)
		case "NStgid":
			ids.inner = lastNumber(rest)
		case "NSpid":
			ids.innerThread = lastNumber(rest)
		}
		if ids.innerThread != 0 {
			break
		}
	}
	if ids.tgid == 0 {
		return nil, errors.New("no thread group")
	}
	if ids.inner == 0 {
		ids.inner, ids.innerThread = ids.tgid, tid
	}
	return ids, nil
}

func lastNumber(line []byte) int {
	line = bytes.TrimSpace(line)
	n, _ := strconv.Atoi(string(line[bytes.LastIndexAny(line, " \t")+1:]))
	return n
}

// errnoOf is the error number in an error; EIO where there is none.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// fail answers with the error, or with success where it is nil.
func (c *call) answer(err error) {
	if err == nil {
		_ = sys.Return(c.s.opts.Listener, c.n.ID, 0) // a caller that went away needs no answer
		return
	}
	_ = sys.Fail(c.s.opts.Listener, c.n.ID, errnoOf(err))
}

func (c *call) resume() { _ = sys.Continue(c.s.opts.Listener, c.n.ID) }
