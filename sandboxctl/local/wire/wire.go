//go:build linux

// Package wire sends values and open files between the processes of a sandbox:
// JSON over a Unix socket of type SOCK_SEQPACKET, on which a message and its files
// arrive together or not at all.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// maxMessage holds a command's arguments and environment.
	maxMessage = 4 << 20
	maxFiles   = 64
)

// Conn is one end. Send may be called from several goroutines, Receive from one
// at a time.
type Conn struct {
	conn    *net.UnixConn
	sending sync.Mutex
	buf     []byte
}

// Pair returns the two ends of a new socket.
func Pair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// FromFile takes over an open socket.
func FromFile(f *os.File) (*Conn, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is not a Unix socket", c), c.Close())
	}
	return New(u), f.Close()
}

// New wraps a connection of network "unixpacket".
func New(u *net.UnixConn) *Conn {
	_ = u.SetWriteBuffer(maxMessage)
	_ = u.SetReadBuffer(maxMessage)
	return &Conn{conn: u}
}

// Close closes the socket.
func (c *Conn) Close() error { return c.conn.Close() }

// Send sends a value and files, which stay the caller's.
func (c *Conn) Send(v any, files ...*os.File) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > maxMessage/2 {
		return fmt.Errorf("%d bytes are too many for one message: %w", len(data), unix.E2BIG)
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	_, _, err = c.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// Receive decodes the next value and returns its files; io.EOF when the other end
// is gone.
func (c *Conn) Receive(v any) ([]*os.File, error) {
	if c.buf == nil {
		c.buf = make([]byte, maxMessage)
	}
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(c.buf, oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	files, err := received(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message was cut off")
	}
	if err == nil {
		err = json.Unmarshal(c.buf[:n], v)
	}
	if err != nil {
		CloseAll(files)
		return nil, err
	}
	return files, nil
}

func received(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	control, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, c := range control {
		fds, err := unix.ParseUnixRights(&c)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// CloseAll closes files that are not wanted.
func CloseAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
