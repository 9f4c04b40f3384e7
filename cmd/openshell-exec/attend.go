package main

import (
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
)

// settle is how long a changed file is left alone, so that it is read whole.
const settle = 50 * time.Millisecond

// caught takes signals from now on to the end of the process: one that ended it
// while the sandbox is being cleared would leave what is in it behind.
func caught() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// attend takes signals and changes of the policy file while the command runs:
// what the terminal sends is for the command, which gets it itself; a request to
// end is passed on. What comes by changes is done before a reload.
func attend(p *bare.Process, signals <-chan os.Signal, reload func(), changes <-chan func(), file string) (stop func()) {
	done := make(chan struct{})
	changed := watch(file, done)
	go func() {
		for {
			select {
			case s := <-signals:
				switch s {
				case syscall.SIGTERM:
					_ = p.Signal(syscall.SIGTERM) // it may have ended
				case syscall.SIGHUP:
					reload()
				}
			case <-changed:
				reload()
			case change := <-changes:
				change()
				reload()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// watch tells of changes of a file, also when another takes its place. Where it
// cannot be watched, SIGHUP is left.
func watch(file string, done <-chan struct{}) <-chan time.Time {
	changed := make(chan time.Time, 1)
	w, err := fsnotify.NewWatcher()
	if err != nil || file == "" {
		return changed
	}
	if err := w.Add(filepath.Dir(file)); err != nil {
		_ = w.Close()
		return changed
	}
	go func() {
		defer w.Close()
		var timer <-chan time.Time
		for {
			select {
			case e, ok := <-w.Events:
				if !ok {
					return
				}
				if filepath.Base(e.Name) == filepath.Base(file) && !e.Has(fsnotify.Chmod) {
					timer = time.After(settle)
				}
			case at := <-timer:
				timer = nil
				changed <- at
			case <-done:
				return
			}
		}
	}()
	return changed
}
