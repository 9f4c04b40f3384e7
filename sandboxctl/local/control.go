//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// request asks the supervisor of a sandbox for one thing.
type request struct {
	Exec    *Command  `json:"exec,omitempty"` // its streams travel beside it, unless it has a terminal
	Signal  int       `json:"signal,omitempty"`
	Refresh bool      `json:"refresh,omitempty"`
	Status  bool      `json:"status,omitempty"`
	Stop    *StopWord `json:"stop,omitempty"`
}

// StopWord says why a sandbox is stopped.
type StopWord struct {
	Status string `json:"status"` // as adminapi has it
}

// response answers a request. An exec is answered twice: when the command runs,
// with its terminal beside it if it has one, and when it has ended.
type response struct {
	Error string `json:"error,omitempty"`
	// Start is the exit status that a shell would have where the program is to
	// blame; see sandboxctl.StartError.
	Start   int            `json:"start,omitempty"`
	Running bool           `json:"running,omitempty"`
	Exit    *int           `json:"exit,omitempty"`
	Change  *Change        `json:"change,omitempty"`
	Status  *SandboxStatus `json:"status,omitempty"`
}

// ControlPath is the socket of the supervisor of a sandbox, in the sandbox's
// folder.
func ControlPath(dir string) string { return filepath.Join(dir, "control") }

// serveControl takes requests until the context ends.
func (s *Sandbox) serveControl(ctx context.Context, ln *net.UnixListener) {
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	for {
		c, err := ln.AcceptUnix()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if peer(c) {
				s.answer(ctx, wire.New(c))
			}
		}()
	}
}

func listenControl(dir string) (*net.UnixListener, error) {
	path := ControlPath(dir)
	_ = os.Remove(path)
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// peer tells whether the other end is this user or root.
func peer(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && (int(cred.Uid) == os.Geteuid() || cred.Uid == 0)
	})
	return err == nil && same
}

func (s *Sandbox) answer(ctx context.Context, c *wire.Conn) {
	var req request
	files, err := c.Receive(&req)
	if err != nil {
		return
	}
	defer wire.CloseAll(files)
	switch {
	case req.Exec != nil:
		s.answerExec(ctx, c, req.Exec, files)
	case req.Refresh:
		change, err := s.Refresh(ctx)
		_ = c.Send(response{Change: &change, Error: text(err)})
	case req.Status:
		status := s.Status()
		_ = c.Send(response{Status: &status})
	case req.Stop != nil:
		s.Stop(req.Stop.Status)
		_ = c.Send(response{})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// blame is the exit status that a shell would have, 0 where it is not the
// program's fault.
func blame(err error) int {
	var start *sandboxctl.StartError
	var spawn *ns.SpawnError
	switch {
	case errors.As(err, &start):
		return start.Status
	case errors.As(err, &spawn):
		return sandboxctl.StatusNotExecutable
	}
	return 0
}

// answerExec runs a command for a client, and ends it when the client is gone.
func (s *Sandbox) answerExec(ctx context.Context, c *wire.Conn, cmd *Command, files []*os.File) {
	var stdio [3]*os.File
	copy(stdio[:], files)
	if !cmd.TTY && len(files) != len(stdio) {
		_ = c.Send(response{Error: "three streams are needed"})
		return
	}
	p, err := s.Run(ctx, *cmd, stdio)
	if err != nil {
		_ = c.Send(response{Error: err.Error(), Start: blame(err)})
		return
	}
	var terminal []*os.File
	if p.Terminal != nil {
		terminal = append(terminal, p.Terminal)
	}
	err = c.Send(response{Running: true}, terminal...)
	wire.CloseAll(terminal)
	if err != nil {
		_ = p.Signal(syscall.SIGKILL)
	}
	go func() {
		for {
			var req request
			if _, err := c.Receive(&req); err != nil {
				_ = p.Signal(syscall.SIGHUP) // as when a terminal is closed
				return
			}
			if req.Signal > 0 {
				_ = p.Signal(syscall.Signal(req.Signal))
			}
		}
	}()
	status := p.Wait()
	_ = c.Send(response{Exit: &status})
}
