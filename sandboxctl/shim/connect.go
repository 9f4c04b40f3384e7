package shim

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
)

const maxSockaddr = 128

// connect connects the caller's own socket for it: the address that is judged is
// the one that is used, and the socket is noted as the program's that connects
// it, whatever becomes of the descriptor later.
func (c *call) connect() { c.answer(c.connecting()) }

func (c *call) connecting() error {
	size := c.int(2)
	if size < 2 || size > maxSockaddr {
		return unix.EINVAL
	}
	address, err := c.bytes(1, size)
	if err != nil {
		return err
	}
	fd, err := c.take(c.int(0))
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	family := binary.NativeEndian.Uint16(address)
	if family == unix.AF_UNIX {
		return c.connectUnix(fd, address)
	}
	if family == unix.AF_INET || family == unix.AF_INET6 {
		if err := c.note(fd); err != nil {
			return err
		}
	}
	return c.here(func() error { return sys.Connect(fd, address) })
}

// take gets a descriptor of the caller's: the same socket, not a copy.
func (c *call) take(fd int) (int, error) {
	ids, err := c.identity()
	if err != nil {
		return noFile, err
	}
	process, err := unix.PidfdOpen(ids.tgid, 0)
	if err != nil {
		return noFile, unix.EACCES
	}
	defer unix.Close(process)
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err == unix.EPERM {
		err = unix.EACCES
	}
	return own, err
}

// here runs act on this thread, which may have to wait for the other end.
func (c *call) here(act func() error) error {
	if !c.valid() {
		return unix.ESRCH
	}
	return act()
}

// connectUnix judges the path of a Unix socket as a write to it. A name without
// a path belongs to the network namespace and the Landlock domain.
func (c *call) connectUnix(fd int, address []byte) error {
	name := address[2:]
	if len(name) == 0 || name[0] == 0 {
		if c.s.opts.Config.ABI < 6 {
			return unix.EACCES // no domain keeps it inside
		}
		return c.s.openers.do(func() error { return sys.Connect(fd, address) })
	}
	file, _, _ := strings.Cut(string(name), "\x00")
	p, err := c.locate(unix.AT_FDCWD, file, true)
	if err != nil {
		return err
	}
	defer p.close()
	switch {
	case !p.exists():
		return unix.ENOENT
	case p.kind() != unix.S_IFSOCK:
		return unix.ECONNREFUSED
	}
	if err := c.file(schemas.OpWrite, p); err != nil {
		return err
	}
	self := append(binary.NativeEndian.AppendUint16(nil, unix.AF_UNIX), p.self()...)
	return c.confirmed(func() error { return sys.Connect(fd, append(self, 0)) })
}

// sockets holds who connected which socket.
type sockets struct {
	mu    sync.Mutex
	peers map[uint64]Peer // by inode
	order []uint64        // oldest first
}

func (k *sockets) init() { k.peers = map[uint64]Peer{} }

// maxSockets bounds what is remembered: the oldest is forgotten, and its program
// is then not known.
const maxSockets = 16384

func (k *sockets) set(inode uint64, p Peer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.peers[inode]; !ok {
		k.order = append(k.order, inode)
	}
	k.peers[inode] = p
	if len(k.order) > maxSockets {
		delete(k.peers, k.order[0])
		k.order = k.order[1:]
	}
}

// note writes down who connects a socket while the caller waits in the call.
func (c *call) note(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	ids, err := c.identity()
	if err != nil {
		return err
	}
	binary, err := c.link("exe")
	if err != nil {
		return unix.EACCES
	}
	c.s.sockets.set(st.Ino, Peer{PID: ids.tgid, Binary: binary, Ancestors: c.s.ancestors(ids.parent)})
	return nil
}

// maxAncestors bounds the chain of parents.
const maxAncestors = 32

// ancestors are the executables of a process and its parents, up to Init.
func (s *Supervisor) ancestors(pid int) []string {
	out := []string{}
	for pid > 1 && pid != s.opts.Init && len(out) < maxAncestors {
		exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
		if err != nil {
			break
		}
		out = append(out, exe)
		ids, err := readIdentity(pid)
		if err != nil {
			break
		}
		pid = ids.parent
	}
	return out
}

// Identify says who opened a connection: the program that made the call, although
// it may have become another since. It is not known of connections that are
// closed already.
func (s *Supervisor) Identify(conn Connection) (Peer, bool) {
	inode, err := sys.SocketInode(s.opts.Diag, conn.Local, conn.Remote)
	if err != nil {
		return Peer{}, false
	}
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	p, ok := s.sockets.peers[uint64(inode)]
	return p, ok
}
