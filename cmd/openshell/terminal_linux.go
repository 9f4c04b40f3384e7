package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/openshell-policy/openshell/internal/cli"
)

// onTerminal tells whether a command is to get a terminal of its own: where both
// its input and its output would be one.
func onTerminal() bool { return cli.IsTerminal(os.Stdin) && cli.IsTerminal(os.Stdout) }

// attach connects this process's terminal with the master of another until that
// one's last user is gone. The sandbox never holds the user's own terminal.
func attach(master *os.File) (wait func(), err error) {
	resize(master)
	state, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return nil, err
	}
	sizes := make(chan os.Signal, 1)
	signal.Notify(sizes, syscall.SIGWINCH)
	go func() {
		for range sizes {
			resize(master)
		}
	}()
	go func() { _, _ = io.Copy(master, os.Stdin) }()
	drained := make(chan struct{})
	go func() {
		_, _ = io.Copy(os.Stdout, master) // ends with EIO
		close(drained)
	}()
	return func() {
		<-drained
		signal.Stop(sizes)
		close(sizes)
		_ = term.Restore(int(os.Stdin.Fd()), state)
		_ = master.Close()
	}, nil
}

// resize gives a terminal the size of this process's.
func resize(master *os.File) {
	size, err := unix.IoctlGetWinsize(int(os.Stdin.Fd()), unix.TIOCGWINSZ)
	if err == nil {
		_ = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, size)
	}
}
