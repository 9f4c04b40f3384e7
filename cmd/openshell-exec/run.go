package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
	"github.com/openshell-policy/openshell/schemas"
)

func run(ctx context.Context, o *options, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := errors.Join(o.check(), shim.Harden()); err != nil {
		return err
	}
	level, err := o.level(ctx)
	if err != nil {
		return err
	}
	src := &source{o: o, engine: rego.New(rego.Options{})}
	gateway, err := o.connect(ctx, src)
	if err != nil {
		return err
	}
	policy, err := src.load()
	if err != nil {
		return err
	}
	log, err := openLog(o, gateway)
	if err != nil {
		return err
	}
	defer log.close(o.flush)
	spareCollector()
	config, _ := shim.Prepare(shim.Request{
		Policy: policy, Ceiling: ceiling(src.engine.Current()), Home: o.home, Level: level, Hot: o.hot,
	})
	env, err := o.environ(gateway)
	if err != nil {
		return err
	}
	signals := caught()
	sandbox, err := bare.Start(ctx, bare.Options{
		Config: config, Policy: policy, Sandbox: schemas.Sandbox{ID: o.id, Agent: o.agent, Home: o.home},
		Record: log.record, Reads: o.reads, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		return err
	}
	defer sandbox.Close()
	process, err := start(sandbox, args, env, o.dir)
	if err != nil {
		return err
	}
	changes := make(chan func())
	if gateway != nil {
		go follow(ctx, gateway, src, changes)
	}
	stop := attend(process, signals, func() { reload(src, sandbox) }, changes, o.watched())
	defer stop()
	o.status = process.Wait()
	return nil
}

// spareCollector has the collector run half as often as usual, unless GOGC says
// how often: executions wait for it, and what is alive is small. What compiling
// the policy left is given back first.
func spareCollector() {
	debug.FreeOSMemory()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// start runs the command, with the statuses of shells where it does not run.
func start(s *bare.Sandbox, args, env []string, dir string) (*bare.Process, error) {
	file, err := lookPath(args[0], dir)
	if err != nil {
		return nil, cli.WithStatus(sandboxctl.StatusNotFound, err)
	}
	process, err := s.Run(bare.Command{Path: file, Args: args, Env: env, Dir: dir})
	var denied *bare.DeniedError
	switch {
	case err == nil:
		return process, nil
	case errors.As(err, &denied):
		d := denied.Decision
		err = fault.New(fault.CodeEntry, "%s: %s (%s)", args[0], d.Message, d.Code)
		if d.Hint != "" {
			err = cli.WithHint(err, "%s", d.Hint)
		}
		return nil, cli.WithStatus(sandboxctl.StatusNotExecutable, err)
	case errors.Is(err, unix.ENOENT):
		return nil, cli.WithStatus(sandboxctl.StatusNotFound, fmt.Errorf("%s: not found", args[0]))
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.EPERM):
		return nil, cli.WithStatus(sandboxctl.StatusNotExecutable, fmt.Errorf("%s: %w", args[0], err))
	}
	return nil, fmt.Errorf("%s: %w", args[0], err)
}

// lookPath finds a command as a shell would in the folder that it starts in.
func lookPath(name, dir string) (string, error) {
	file, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil
	}
	if errors.Is(err, fs.ErrPermission) {
		err = nil // the kernel says so once more, with the right status
		file = name
	}
	if err != nil {
		return "", fmt.Errorf("%s: not found", name)
	}
	if strings.Contains(name, "/") && !filepath.IsAbs(name) && dir != "" {
		return filepath.Join(dir, name), nil
	}
	return file, nil
}

// reload puts what the source holds now into force; a broken policy changes
// nothing.
func reload(src *source, s *bare.Sandbox) {
	policy, err := src.load()
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy not changed:", err)
		return
	}
	if s.Supervisor() == nil {
		fmt.Fprintln(os.Stderr, "restart_required: this level decides nothing while the command runs")
		return
	}
	change, err := s.Supervisor().Swap(policy)
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy not changed:", err)
		return
	}
	if len(change.RestartRequired) > 0 {
		fmt.Fprintln(os.Stderr, "restart_required:", strings.Join(change.RestartRequired, " "))
	}
}

func (o *options) check() error {
	given := 0
	for _, source := range []string{o.policy, o.bundle, o.gateway} {
		if source != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return cli.WithHint(errors.New("one of --policy, --bundle and --gateway is needed"), "openshell-exec --policy github-readonly -- bash")
	case (o.gateway == "") != (o.token == ""):
		return cli.WithHint(errors.New("--gateway and --token-file belong together"), "--gateway http://openshell-gateway:8080 --token-file /openshell/token/token")
	}
	if o.id == "" {
		o.id = newID()
	}
	return nil
}

func (o *options) watched() string {
	file := o.policy + o.bundle
	if i := strings.LastIndexByte(file, ':'); i > 0 {
		if _, err := os.Stat(file); err != nil {
			file = file[:i]
		}
	}
	return file
}
