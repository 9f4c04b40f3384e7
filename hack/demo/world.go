package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// world is what the demo runs in: a folder, the commands that were built, an
// origin and a gateway.
type world struct {
	dir    string // temporary
	bin    string // of the commands
	env    []string
	origin *origin

	gatewayEnded chan error
}

// newWorld starts the origin and the gateway; both end with the context.
func newWorld(ctx context.Context, dir, bin string) (*world, error) {
	w := &world{dir: dir, bin: bin}
	for _, name := range []string{"home", "state", "tmp", "work", "work/.agents"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	w.env = w.environ()
	if err := w.writeAgents("claude", "codex", "opencode", "opencode-2"); err != nil {
		return nil, err
	}
	if err := w.startOrigin(ctx); err != nil {
		return nil, err
	}
	return w, w.startGateway(ctx)
}

// environ is the caller's, less what would lead clients elsewhere than on a
// machine that is set up freshly.
func (w *world) environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(strings.ToUpper(kv), "=")
		switch {
		case strings.HasSuffix(key, "_PROXY"), strings.HasPrefix(key, "GIT_"), strings.HasPrefix(key, "NPM_"),
			strings.HasPrefix(key, "OPENSHELL_"), strings.HasPrefix(key, "XDG_"), strings.HasSuffix(key, "_CA_BUNDLE"),
			key == "HOME", key == "PATH", key == "TMPDIR", key == "SSL_CERT_FILE", key == "NODE_OPTIONS":
		default:
			env = append(env, kv)
		}
	}
	home := filepath.Join(w.dir, "home")
	return append(env,
		"HOME="+home, "TMPDIR="+filepath.Join(w.dir, "tmp"), "XDG_CONFIG_HOME="+filepath.Join(home, ".config"),
		"PATH="+filepath.Join(w.dir, "work", ".agents")+":"+w.bin+":"+os.Getenv("PATH"),
		"OPENSHELL_STATE_DIR="+filepath.Join(w.dir, "state"),
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "npm_config_update_notifier=false", "LC_ALL=C",
	)
}

// writeAgents makes programs of these names that do what they are told on
// standard input.
func (w *world) writeAgents(names ...string) error {
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(w.dir, "work", ".agents", name), []byte("#!/bin/sh\nexec sh -s\n"), 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) startOrigin(ctx context.Context) error {
	played, err := sites(w.dir)
	if err != nil {
		return err
	}
	signer, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.dir, "origin-ca.pem"), signer.pem(), 0o600); err != nil {
		return err
	}
	l, err := listen443()
	if err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	w.origin = &origin{sites: played}
	failed := make(chan error, 1)
	go func() { failed <- w.origin.serve(ctx, l, signer) }()
	select {
	case err := <-failed:
		return err
	case <-time.After(10 * time.Millisecond):
		return nil
	}
}

// config is the gateway's: the names of the origin are on this machine, which
// the dial guard must be told.
func (w *world) config() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `listen:
  proxy: 127.0.0.1:0
  admin: unix:%s/state/admin.sock
state_dir: %s/state
policies: [%s]
allow_loopback: true
upstream_roots: %s/origin-ca.pem
resolve:
`, w.dir, w.dir, filepath.Join(w.bin, "..", "policies"), w.dir)
	for _, name := range w.origin.names() {
		fmt.Fprintf(&b, "  %s: [127.83.0.1]\n", name)
	}
	return b.Bytes()
}

func (w *world) startGateway(ctx context.Context) error {
	file := filepath.Join(w.dir, "gateway.yaml")
	if err := os.WriteFile(file, w.config(), 0o600); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(w.dir, "gateway.log"))
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "openshell-gateway"), "--config", file)
	cmd.Env, cmd.Stdout, cmd.Stderr = w.env, out, out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	w.gatewayEnded = make(chan error, 1)
	go func() {
		w.gatewayEnded <- cmd.Wait()
		close(w.gatewayEnded)
	}()
	return w.awaitGateway(ctx)
}

// wait returns when the gateway has ended.
func (w *world) wait() {
	for range w.gatewayEnded {
	}
}

func (w *world) awaitGateway(ctx context.Context) error {
	for {
		if _, err := w.openshell(ctx, "gateway", "status"); err == nil {
			return nil
		}
		select {
		case err := <-w.gatewayEnded:
			log, _ := os.ReadFile(filepath.Join(w.dir, "gateway.log"))
			return fmt.Errorf("the gateway did not start: %w\n%s", err, log)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openshell runs the command and returns what it printed, on stdout and stderr.
func (w *world) openshell(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "openshell"), args...)
	cmd.Env = w.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("openshell %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}
