package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// localRuntime runs a sandbox in namespaces on this machine.
type localRuntime struct {
	o     *createOptions
	admin *adminapi.Client
	box   adminapi.CreatedSandbox

	release func() // the sandbox's slot
	sandbox *local.Sandbox
	log     *audit.Log
	tally   tally
}

// start builds the sandbox and starts its first command.
func (r *localRuntime) start(ctx context.Context, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	opts, args, err := r.options(spec)
	if err != nil {
		return nil, err
	}
	if r.release, err = r.o.place.slot(); err != nil {
		return nil, err
	}
	p, err := r.run(ctx, opts, args, spec)
	if err != nil {
		r.release()
	}
	return p, err
}

// run starts the sandbox and its first command.
func (r *localRuntime) run(ctx context.Context, opts local.Options, args []string, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	var err error
	if r.log, err = audit.Open(localLog(opts.Dir), audit.Options{Mode: audit.Bounded}); err != nil {
		return nil, err
	}
	opts.Record = func(rec *schemas.Record) {
		r.tally.add(rec)
		if err := r.log.Enqueue(context.Background(), rec); err != nil {
			r.sandbox.Stop(adminapi.StatusFailed) // what cannot be recorded is not done
		}
	}
	if r.sandbox, err = local.Start(ctx, opts); err != nil {
		return nil, errors.Join(explainLocal(err), r.log.Close())
	}
	r.o.announce(r.box, r.confines())
	go r.tally.report(r.admin, r.box.ID, r.sandbox)
	cmd := local.Command{Args: args, Env: spec.Env, Dir: ns.Workspace, TTY: !r.o.detached && onTerminal()}
	p, err := r.sandbox.Run(ctx, cmd, [3]*os.File{spec.Stdin, spec.Stdout, spec.Stderr})
	if err != nil {
		r.close()
		return nil, spawnFailed(err)
	}
	return r.process(p)
}

func (r *localRuntime) process(p *local.Process) (sandboxctl.Process, error) {
	out := &localProcess{runtime: r, process: p}
	if p.Terminal != nil {
		wait, err := attach(p.Terminal)
		if err != nil {
			r.close()
			return nil, err
		}
		out.drain = wait
	}
	return out, nil
}

// options are what the flags say.
func (r *localRuntime) options(spec sandboxctl.Spec) (local.Options, []string, error) {
	dir, err := r.o.place.localDir(r.box.ID)
	if err != nil {
		return local.Options{}, nil, err
	}
	workspace, err := r.o.workspaceDir()
	if err != nil {
		return local.Options{}, nil, err
	}
	bundle, err := os.ReadFile(spec.CABundle)
	if err != nil {
		return local.Options{}, nil, err
	}
	args, show := entry(r.o.args, workspace)
	return local.Options{
		ID: r.box.ID, Agent: r.box.Agent, Dir: dir, Workspace: workspace, Overlay: r.o.overlay, Show: append(show, r.o.show...),
		Socket: r.box.Socket + schemas.SupervisorSuffix, CABundle: bundle, Limits: r.o.limits(),
		Policies: &wiring.SandboxPolicies{Admin: r.admin, ID: r.box.ID},
		HotFiles: r.o.hotFiles, AllowDegraded: r.o.allowDegraded,
		Idle: time.Duration(r.o.idle), Lifetime: time.Duration(r.o.lifetime), Stderr: spec.Stderr,
	}, args, os.MkdirAll(filepath.Dir(dir), 0o700)
}

// confines says how the sandbox is confined and when it ends.
func (r *localRuntime) confines() string {
	text := "local, " + r.sandbox.Level()
	var ends []string
	if r.o.lifetime > 0 {
		ends = append(ends, "stops at "+time.Now().Add(time.Duration(r.o.lifetime)).Format("15:04"))
	}
	if r.o.idle > 0 {
		ends = append(ends, "after "+cli.Age(time.Duration(r.o.idle))+" idle")
	}
	if len(ends) == 0 {
		return "(" + text + ")"
	}
	if r.o.lifetime <= 0 {
		ends[0] = "stops " + ends[0]
	}
	return "(" + text + "); " + strings.Join(ends, " or ")
}

func (r *localRuntime) close() {
	r.sandbox.Close()
	_ = r.log.Close() // what it could not write it has said
	r.release()
}

// slot takes one of the places for local sandboxes.
func (p *place) slot() (release func(), err error) {
	cfg, err := p.config("")
	if err != nil {
		return nil, err
	}
	release, err = local.Slot(filepath.Join(cfg.StateDir, "slots"), cfg.Sandbox.MaxConcurrent)
	var f *fault.Error
	if errors.As(err, &f) {
		err = cli.WithHint(f.Err, "openshell sandbox list shows them; openshell sandbox delete ID ends one (%s)", f.Code)
	}
	return release, err
}

// localProcess is the first command of a sandbox; the sandbox ends with it.
type localProcess struct {
	runtime *localRuntime
	process *local.Process
	drain   func()
}

func (p *localProcess) PID() int { return 0 }

func (p *localProcess) Signal(sig os.Signal) error { return p.process.Signal(sig) }

func (p *localProcess) Wait() (int, error) {
	status := p.process.Wait()
	if p.drain != nil {
		p.drain()
	}
	p.runtime.close()
	return status, nil
}

// ended is the word for how the sandbox ended, "" if its command did.
func (p *localProcess) ended() string { return p.runtime.sandbox.Stopped() }

// spawnFailed gives an error of the program's the status that it stands for.
func spawnFailed(err error) error {
	var start *sandboxctl.StartError
	if errors.As(err, &start) {
		return err
	}
	var spawn *ns.SpawnError
	if errors.As(err, &spawn) {
		return &sandboxctl.StartError{Status: sandboxctl.StatusNotExecutable, Err: err}
	}
	return err
}

// explainLocal says what to do where this machine cannot do it.
func explainLocal(err error) error {
	var degraded *local.DegradedError
	switch {
	case errors.Is(err, ns.ErrNoNamespaces):
		return cli.WithHint(&fault.Error{Code: fault.CodeNamespaces, Err: err}, "allow user namespaces (on Ubuntu an AppArmor profile for openshell), run as root, or use --runtime none, which confines nothing")
	case errors.As(err, &degraded):
		return cli.WithHint(&fault.Error{Code: fault.CodeDegraded, Err: err}, "--allow-degraded starts it nevertheless, and every record says so")
	}
	return err
}

// localDir is the folder of a local sandbox.
func (p *place) localDir(id string) (string, error) {
	dir, err := p.dir()
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir)
	return filepath.Join(dir, "local", id), err
}

// localLog is the log of a sandbox's files and commands.
func localLog(dir string) string { return filepath.Join(dir, "audit") }

// workspaceDir is the folder that the sandbox works in: the one that was named,
// else the working directory, but never one that holds everything.
func (o *createOptions) workspaceDir() (string, error) {
	named := o.workspace != ""
	dir := o.workspace
	if !named {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fault.New(fault.CodeWorkspace, "workspace: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fault.New(fault.CodeWorkspace, "workspace: %w", err)
	}
	if !info.IsDir() {
		return "", fault.New(fault.CodeWorkspace, "workspace %q is not a folder", dir)
	}
	home, _ := os.UserHomeDir()
	if dir == "/" || !named && dir == home {
		return "", cli.WithHint(fmt.Errorf("the workspace would be %s, with everything in it", dir), "go to the project's folder, or name one with --workspace")
	}
	return dir, nil
}
