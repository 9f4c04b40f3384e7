package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/internal/cli"
)

// detach runs the same command line once more in a session of its own, and
// passes on what it prints until it lets go: its notes and the sandbox's id, or
// its error.
func detach(o *createOptions) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	at := slices.Index(os.Args, "create")
	args := slices.Insert(slices.Clone(os.Args[1:]), at, "--detached")
	cmd := exec.Command(self, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = o.stdout, o.stderr
	// With pipes of our own Wait would wait for the sandbox; these end when the
	// other side lets go.
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	if err := cmd.Start(); err != nil {
		return err
	}
	outW.Close()
	errW.Close()
	notes := make(chan struct{})
	go func() {
		_, _ = io.Copy(o.stderr, errR)
		close(notes)
	}()
	printed, err := io.Copy(o.stdout, outR)
	<-notes
	if err != nil {
		return err
	}
	if printed > 0 {
		return cmd.Process.Release()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return cli.Exit(exit.ExitCode())
	}
	return errors.Join(errors.New("the sandbox ended before it began"), err)
}

// letGo prints the id and leaves the terminal: whoever started this process
// sees its pipes end.
func letGo(stdout io.Writer, id string) error {
	if _, err := fmt.Fprintln(stdout, id); err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	return nil
}
