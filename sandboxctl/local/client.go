//go:build linux

package local

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// Client talks to the supervisor of a running sandbox.
type Client struct{ dir string }

// Connect returns a client for the sandbox of a folder.
func Connect(dir string) *Client { return &Client{dir} }

// ErrNotRunning says that no supervisor answers in the folder.
var ErrNotRunning = errors.New("the sandbox is not running here")

func (c *Client) dial(req request, files ...*os.File) (*wire.Conn, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: ControlPath(c.dir), Net: "unixpacket"})
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	w := wire.New(conn)
	if err := w.Send(req, files...); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

func (c *Client) ask(req request) (response, error) {
	var r response
	w, err := c.dial(req)
	if err != nil {
		return r, err
	}
	defer w.Close()
	if _, err := w.Receive(&r); err != nil {
		return r, fmt.Errorf("the sandbox's supervisor: %w", err)
	}
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

// Refresh has the supervisor read the policy again, and returns when it is in
// force.
func (c *Client) Refresh() (Change, error) {
	r, err := c.ask(request{Refresh: true})
	if r.Change == nil {
		r.Change = &Change{}
	}
	return *r.Change, err
}

// Status returns what the supervisor knows.
func (c *Client) Status() (SandboxStatus, error) {
	r, err := c.ask(request{Status: true})
	if r.Status == nil {
		r.Status = &SandboxStatus{}
	}
	return *r.Status, err
}

// Stop ends the sandbox with a status of adminapi.
func (c *Client) Stop(status string) error {
	_, err := c.ask(request{Stop: &StopWord{Status: status}})
	return err
}

// Remote is a command that another process's sandbox runs for this one.
type Remote struct {
	// Terminal is the master of its terminal, if it has one; the caller owns it.
	Terminal *os.File

	conn *wire.Conn
}

// Exec runs a further command in the sandbox. Its error is a
// *sandboxctl.StartError where the program is to blame.
func (c *Client) Exec(cmd Command, stdio [3]*os.File) (*Remote, error) {
	var files []*os.File
	if !cmd.TTY {
		files = stdio[:]
	}
	w, err := c.dial(request{Exec: &cmd}, files...)
	if err != nil {
		return nil, err
	}
	var r response
	got, err := w.Receive(&r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
		if r.Start != 0 {
			err = &sandboxctl.StartError{Status: r.Start, Err: err}
		}
	}
	if err != nil {
		w.Close()
		return nil, err
	}
	p := &Remote{conn: w}
	if len(got) > 0 {
		p.Terminal = got[0]
	}
	return p, nil
}

// Signal sends a signal to the command.
func (p *Remote) Signal(sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v has no number", sig)
	}
	return p.conn.Send(request{Signal: int(number)})
}

// Wait returns the exit status, 128 plus the signal for one that a signal ended.
func (p *Remote) Wait() (int, error) {
	defer p.conn.Close()
	var r response
	if _, err := p.conn.Receive(&r); err != nil {
		return 0, fmt.Errorf("the sandbox is gone: %w", err)
	}
	if r.Exit == nil {
		return 0, errors.New("the sandbox's supervisor answered something else than an exit status")
	}
	return *r.Exit, nil
}
