//go:build linux

package ns

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

// message is what travels between the supervisor and process 1; exactly one
// field is set. Files travel beside it.
type message struct {
	Config  *Config    `json:"config,omitempty"`
	Ready   *ready     `json:"ready,omitempty"`
	Listen  []Listener `json:"listen,omitempty"`
	Spawn   *Command   `json:"spawn,omitempty"`
	Spawned *Spawned   `json:"spawned,omitempty"`
	Ended   *Ended     `json:"ended,omitempty"`
	Signal  *signal    `json:"signal,omitempty"`
	Failed  string     `json:"failed,omitempty"` // why there is no sandbox
}

type ready struct {
	Listeners []Listener // in the order of the files; the confinement's file, if any, is last
	Confined  bool
}

type signal struct{ PID, Number int }

const (
	maxMessage = 4 << 20
	maxFiles   = 64
)

// wire is one end of the socket: SOCK_SEQPACKET, so that a message and its files
// arrive together or not at all.
type wire struct {
	conn *net.UnixConn
	mu   sync.Mutex // of writing
}

func newWire(f *os.File) (*wire, error) {
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is not a Unix socket", c), c.Close())
	}
	_ = u.SetWriteBuffer(maxMessage)
	_ = u.SetReadBuffer(maxMessage)
	return &wire{conn: u}, f.Close()
}

func (w *wire) send(m message, files ...*os.File) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		rights = unix.UnixRights(fds...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _, err = w.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// receive returns the next message; io.EOF when the other end is gone.
func (w *wire) receive(buf []byte) (message, []*os.File, error) {
	var m message
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := w.conn.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return m, nil, err
	}
	files, err := received(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message between supervisor and sandbox was cut off")
	}
	if err == nil {
		err = json.Unmarshal(buf[:n], &m)
	}
	if err != nil {
		closeAll(files)
		return m, nil, err
	}
	return m, files, nil
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

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
