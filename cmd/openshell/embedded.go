package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// untilIdle is how long a gateway that nobody asked for outlives its last
// sandbox.
const untilIdle = 10 * time.Second

// startLimit is how long a gateway may take to start.
const startLimit = 20 * time.Second

// ensure connects to the gateway that runs, or starts one in the background
// that ends when it has been idle.
func (p *place) ensure(ctx context.Context) (*adminapi.Client, error) {
	c, err := p.client(ctx)
	if err == nil || !errors.Is(err, errNoGateway) || p.named() {
		return c, err
	}
	return p.launch(ctx, "--until-idle", untilIdle.String(), "--embedded")
}

// launch starts a gateway in a session of its own and waits until it serves.
func (p *place) launch(ctx context.Context, flags ...string) (*adminapi.Client, error) {
	dir, err := p.dir()
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	logPath := filepath.Join(dir, "gateway.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, append([]string{"gateway", "start", "--state-dir", dir}, flags...)...)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it said is in its log
		close(ended)
	}()
	return p.await(ctx, ended, logPath)
}

// await polls until a gateway serves; if the one that was started ended because
// another was faster, that one does as well.
func (p *place) await(ctx context.Context, ended <-chan struct{}, logPath string) (*adminapi.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var gone <-chan time.Time
	for {
		if c, err := p.client(ctx); err == nil {
			return c, nil
		}
		select {
		case <-ended:
			gone = time.After(time.Second)
			ended = nil
		case <-gone:
			return nil, startError(logPath)
		case <-ctx.Done():
			return nil, startError(logPath)
		case <-tick.C:
		}
	}
}

func startError(logPath string) error {
	text, _ := os.ReadFile(logPath)
	text = bytes.TrimPrefix(bytes.TrimSpace(text), []byte("error: "))
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return cli.WithHint(fmt.Errorf("the gateway did not start: %s", text), "openshell gateway start shows it in the foreground")
}
