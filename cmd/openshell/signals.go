package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
)

// caught are the signals that a supervisor gets for its command.
type caught struct{ ch chan os.Signal }

// catchSignals begins to hold signals back, so that none that comes while the
// command starts is lost.
func catchSignals() caught {
	c := caught{make(chan os.Signal, 8)}
	signal.Notify(c.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2)
	return c
}

// forward passes signals on. What a terminal sends it sends to the whole process
// group, the command included, so that is not sent twice.
func (c caught) forward(p sandboxctl.Process) {
	terminal := cli.IsTerminal(os.Stdin)
	go func() {
		for s := range c.ch {
			if terminal && (s == syscall.SIGINT || s == syscall.SIGQUIT) {
				continue
			}
			_ = p.Signal(s) // it may have ended
		}
	}()
}

func (c caught) stop() {
	signal.Stop(c.ch)
	close(c.ch)
}
