package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openshell-policy/openshell/internal/cli"
)

// limit is how long the demo may take; it takes some ten seconds.
const limit = 2 * time.Minute

func main() {
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, limit-10*time.Second, errors.New("the demo takes too long"))
	defer cancel()
	status, err := withPort443(ctx, demo)
	if err != nil {
		cli.PrintError(os.Stderr, err)
		return 1
	}
	return status
}

// demo needs the commands in bin/, below the working directory.
func demo(ctx context.Context) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	if err := findTools(bin); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "openshell-demo-")
	if err != nil {
		return err
	}
	if keep := os.Getenv("OPENSHELL_DEMO_KEEP"); keep != "" {
		fmt.Fprintln(os.Stderr, "keeping", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &report{w: os.Stdout, color: cli.Color(os.Stdout), begun: time.Now()}
	w, err := newWorld(ctx, dir, bin)
	if err != nil {
		return err
	}
	defer w.wait()
	defer cancel()
	return play(ctx, w, r, script())
}

func findTools(bin string) error {
	for _, name := range []string{"openshell", "openshell-gateway"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			return cli.WithHint(err, "make demo builds the commands first")
		}
	}
	for _, name := range []string{"curl", "git", "python3", "node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			return cli.WithHint(fmt.Errorf("the demo runs real clients, and there is no %s", name), "install it, or let .ci/run do so")
		}
	}
	return nil
}
