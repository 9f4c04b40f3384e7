package bare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
)

// message is one datagram between supervisor and init. Exactly one field is set.
type message struct {
	Confine  *shim.Config `json:"confine,omitempty"`
	Confined *confined    `json:"confined,omitempty"` // with the listener, if there is one
	Start    *start       `json:"start,omitempty"`
	Started  *started     `json:"started,omitempty"`
	Exited   *exited      `json:"exited,omitempty"`
}

type confined struct {
	Error string `json:"error"`
}

// start asks for a command. It has the descriptors 0 to 2 of init, or those that
// come with the message.
type start struct {
	ID   int      `json:"id"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
}

type started struct {
	ID    int        `json:"id"`
	PID   int        `json:"pid"`
	Errno unix.Errno `json:"errno"`
}

type exited struct {
	PID    int `json:"pid"`
	Status int `json:"status"` // as shells have it
}

// maxMessage bounds a message: an environment and an argument list.
const maxMessage = 4 << 20

// send writes one message. The parts of a large one follow each other; a short
// part ends it.
func send(fd int, m message, files ...int) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	for {
		part := data[:min(len(data), partSize)]
		data = data[len(part):]
		for {
			err := unix.Sendmsg(fd, part, rights, nil, unix.MSG_NOSIGNAL)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				return fmt.Errorf("talk to the sandbox: %w", err)
			}
			break
		}
		rights = nil
		if len(part) < partSize {
			return nil
		}
	}
}

// partSize is less than what a socket takes at once everywhere.
const partSize = 64 << 10

// receive reads one message and the descriptors that came with it. io.EOF is the
// end of the other side.
func receive(fd int) (m message, files []int, err error) {
	var data []byte
	part, oob := make([]byte, partSize), make([]byte, unix.CmsgSpace(4*4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(fd, part, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return m, files, err
		}
		if n == 0 && oobn == 0 && len(data) == 0 {
			return m, files, io.EOF
		}
		files = append(files, rights(oob[:oobn])...)
		data = append(data, part[:n]...)
		if len(data) > maxMessage {
			return m, files, errors.New("a message is too long")
		}
		if n < partSize {
			return m, files, json.Unmarshal(data, &m)
		}
	}
}

func rights(oob []byte) (files []int) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err == nil {
			files = append(files, fds...)
		}
	}
	return files
}
