package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/none"
	"github.com/openshell-policy/openshell/schemas/adminapi"
	"github.com/openshell-policy/openshell/schemas/tables"
)

type createOptions struct {
	place      *place
	policy     string
	with       []string
	runtime    string
	detach     bool
	detached   bool // this is the process that -d left behind
	noGitHTTPS bool
	noAgent    bool
	quiet      bool

	// For runtime local.
	workspace     string
	overlay       bool
	show          []string
	env           []string
	memory        cli.Bytes
	cpus          float64
	processes     int64
	idle          cli.Duration
	lifetime      cli.Duration
	hotFiles      bool
	allowDegraded bool

	args   []string
	stdout io.Writer
	stderr io.Writer
}

func newCreate(p *place) *cobra.Command {
	o := &createOptions{place: p, idle: cli.Duration(time.Hour), lifetime: cli.Duration(time.Hour)}
	cmd := &cobra.Command{
		Use:   "create [--policy NAME|FILE] [-d] -- COMMAND [ARG...]",
		Short: "Run a command in a new sandbox",
		Long: `Run a command in a new sandbox.

Its requests go through the gateway, its files and commands through the kernel, and
both do what the policy allows. The policy is the name of one that the gateway has or
that is ready-made (openshell policy list), or a file; without one, nothing leaves. An
agent that is known by name (claude, codex, copilot, opencode) has a policy of its own
bound beside it, with what its model needs.

The command sees the working directory (or --workspace) as /workspace, this machine's
programs read-only, an empty home, and none of your files or variables besides. It
stops after --idle without anything happening, and after --lifetime in all.

--runtime none asks the command's clients to use the gateway by their proxy variables,
and confines nothing: files and commands are not checked, and a program that ignores
the variables reaches the network.

The exit status is the command's; 125 says that openshell failed, 126 that the
command cannot be executed or is denied, 127 that there is none of that name.`,
		Example: `  openshell sandbox create --policy github-readonly -- claude
  openshell sandbox create --policy ./team.yaml -- git clone https://github.com/org/app
  openshell sandbox create --policy full-dev --overlay -- bash
  openshell sandbox create --policy full-dev -d -- npm test`,
		Args: cli.Args(1, -1, "a command after --"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args, o.stdout, o.stderr = args, cmd.OutOrStdout(), cmd.ErrOrStderr()
			return create(cmd.Context(), o)
		},
	}
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	o.flags(cmd)
	return cmd
}

func (o *createOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&o.policy, "policy", "p", "", "`POLICY` of the sandbox: a name or a file")
	f.StringSliceVar(&o.with, "with", nil, "`POLICY` to bind beside it, repeatable")
	f.BoolVar(&o.noAgent, "no-agent-policy", false, "bind no policy of the agent's own")
	f.StringVar(&o.runtime, "runtime", runtimeDefault, "`RUNTIME` that confines the command: local or none")
	f.BoolVarP(&o.detach, "detach", "d", false, "run in the background and print the sandbox's id")
	f.StringVarP(&o.workspace, "workspace", "w", "", "`FOLDER` that the sandbox works in (default: the working directory)")
	f.BoolVar(&o.overlay, "overlay", false, "keep changes of the workspace aside; openshell sandbox diff shows them, apply and discard end them")
	f.StringSliceVar(&o.show, "show", nil, "further `FOLDER` that the sandbox sees, read-only and as far as its policy allows; repeatable")
	f.StringArrayVar(&o.env, "env", nil, "`NAME` of a variable to pass on, or NAME=VALUE; repeatable")
	f.Var(&o.memory, "memory", "most memory, as `SIZE` such as 4g")
	f.Float64Var(&o.cpus, "cpus", 0, "most CPUs (`NUMBER`)")
	f.Int64Var(&o.processes, "processes", 0, "most processes (`NUMBER`)")
	f.Var(&o.idle, "idle", "stop after so long without anything happening (`DURATION`, 0 never)")
	f.Var(&o.lifetime, "lifetime", "stop after so long in all (`DURATION`, 0 never)")
	f.BoolVar(&o.hotFiles, "hot-files", false, "decide every open, so that a policy's file clauses can change while the sandbox runs")
	f.BoolVar(&o.allowDegraded, "allow-degraded", false, "start also where the kernel cannot enforce all of the policy")
	f.BoolVar(&o.noGitHTTPS, "no-git-https", false, "leave git@github.com: URLs as they are; SSH does not go through the gateway")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing of our own but errors")
	f.BoolVar(&o.detached, "detached", false, "")
	_ = f.MarkHidden("detached")
}

func create(ctx context.Context, o *createOptions) error {
	if err := o.complete(); err != nil {
		return err
	}
	if o.detach && !o.detached {
		return detach(o)
	}
	c, err := o.place.ensure(ctx)
	if err != nil {
		return err
	}
	name, err := o.choosePolicy(ctx, c)
	if err != nil {
		return err
	}
	if err := o.chooseBeside(ctx, c); err != nil {
		return err
	}
	box, err := c.Create(ctx, adminapi.CreateSandbox{Agent: filepath.Base(o.args[0]), Policy: name, With: o.with, Socket: o.runtime == runtimeLocal})
	if err != nil {
		return err
	}
	status, word, err := o.supervise(ctx, c, box)
	end(c, box.ID, status, word)
	if err != nil {
		return err
	}
	if word == adminapi.StatusTimedOut {
		o.note("sandbox %s stopped: its time is over (--idle, --lifetime)", box.ID)
	}
	if status != 0 {
		return cli.Exit(status)
	}
	return nil
}

// The runtimes.
const (
	runtimeLocal = "local"
	runtimeNone  = "none"
)

// complete checks what the flags say together.
func (o *createOptions) complete() error {
	switch o.runtime {
	case runtimeLocal, runtimeNone:
		return nil
	case "kubernetes":
		return cli.WithHint(errors.New("--runtime kubernetes does not exist yet"), "--runtime local runs the command on this machine")
	}
	return cli.WithHint(fmt.Errorf("no runtime %q", o.runtime), "there are local and none")
}

// end tells the gateway how the sandbox ended; it may have been told already, or
// be gone.
func end(c *adminapi.Client, id string, status int, word string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if word == "" {
		word = adminapi.StatusStopped
		if status != 0 {
			word = adminapi.StatusFailed
		}
	}
	_, _ = c.End(ctx, id, word, &status)
}

// note prints a line of our own on stderr.
func (o *createOptions) note(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(o.stderr, format+"\n", args...)
	}
}

// choosePolicy makes sure that the gateway has the policy, and says where it
// comes from.
func (o *createOptions) choosePolicy(ctx context.Context, c *adminapi.Client) (string, error) {
	ref := o.policy
	if ref == "" {
		ref = "deny-all"
		o.note("no --policy: nothing leaves (deny-all); --policy github-readonly allows reading GitHub")
	}
	name, from, err := offer(ctx, c, ref)
	if err != nil {
		return "", err
	}
	if o.policy != "" {
		o.note("policy %s: from %s", name, from)
	}
	return name, nil
}

// chooseBeside adds the policy of a known agent, and makes sure that the gateway
// has what is bound beside.
func (o *createOptions) chooseBeside(ctx context.Context, c *adminapi.Client) error {
	agent, known := tables.AgentOf(filepath.Base(o.args[0]))
	if known && !o.noAgent && !slices.Contains(o.with, agent.Policy) {
		o.with = append(o.with, agent.Policy)
	}
	for i, ref := range o.with {
		name, from, err := offer(ctx, c, ref)
		if err != nil {
			return err
		}
		o.with[i] = name
		o.note("+ %s (%s)", name, describeBeside(name, from))
	}
	return nil
}

// describeBeside says how much a policy adds.
func describeBeside(name, from string) string {
	source, ok := policyset.ReadyMade(name)
	if !ok {
		return "from " + from
	}
	hosts := map[string]bool{}
	for _, p := range policyset.Compile([]compiler.Source{source}, compiler.Options{}).Policies {
		for _, r := range p.Network.Outbound {
			hosts[r.Host.Source] = true
		}
	}
	if len(hosts) == 1 {
		return "1 host"
	}
	return fmt.Sprintf("%d hosts", len(hosts))
}

// supervise starts the command and stays until it ends. The word says how the
// sandbox ended where that was not by its command.
func (o *createOptions) supervise(ctx context.Context, c *adminapi.Client, box adminapi.CreatedSandbox) (status int, word string, err error) {
	spec, runs, err := o.spec(box)
	if err != nil {
		return sandboxctl.StatusFailed, "", err
	}
	run := sandboxctl.Run{ID: box.ID, Runtime: o.runtime, Command: o.args, Started: time.Now().UTC()}
	run.Dir, _ = os.Getwd()
	signals := catchSignals()
	defer signals.stop()
	process, err := o.start(ctx, c, box, spec)
	if err != nil {
		status, err = startFailed(err)
		return status, "", err
	}
	run.Child = process.PID()
	if err := runs.Save(run); err != nil {
		_ = process.Signal(os.Kill)
		_, _ = process.Wait()
		return sandboxctl.StatusFailed, "", err
	}
	defer runs.Remove(box.ID)
	if o.detached {
		if err := letGo(o.stdout, box.ID); err != nil {
			_ = process.Signal(os.Kill)
		}
	}
	signals.forward(process)
	status, err = process.Wait()
	if e, ok := process.(interface{ ended() string }); ok {
		word = e.ended()
	}
	return status, word, err
}

func startFailed(err error) (int, error) {
	var start *sandboxctl.StartError
	if !errors.As(err, &start) {
		return sandboxctl.StatusFailed, err
	}
	return start.Status, cli.WithStatus(start.Status, err)
}

// startNone starts the command without confinement.
func (o *createOptions) startNone(ctx context.Context, box adminapi.CreatedSandbox, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	o.announce(box, "(none, "+none.Runtime{}.Confines()+")")
	o.note("warning: nothing but the proxy variables leads requests through the policy, and files and commands are not checked")
	return none.Runtime{}.Start(ctx, spec)
}

// announce says what begins.
func (o *createOptions) announce(box adminapi.CreatedSandbox, confines string) {
	o.note("sandbox %s: %s under %s %s", box.ID, box.Agent, box.Policy, confines)
}

// spec is the command with the variables that lead it through the gateway.
func (o *createOptions) spec(box adminapi.CreatedSandbox) (sandboxctl.Spec, sandboxctl.Runs, error) {
	spec := sandboxctl.Spec{ID: box.ID, Args: o.args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	runs, err := o.place.runs()
	if err != nil {
		return spec, runs, err
	}
	if err := os.MkdirAll(runs.Dir, 0o700); err != nil {
		return spec, runs, err
	}
	spec.CABundle = filepath.Join(filepath.Dir(runs.Dir), "ca-bundle.pem")
	if err := sandboxctl.WriteCABundle(spec.CABundle, os.Getenv("SSL_CERT_FILE"), []byte(box.CAPEM)); err != nil {
		return spec, runs, err
	}
	p := sandboxctl.Proxied{ID: box.ID, ProxyURL: box.ProxyURL(), CABundle: spec.CABundle, GitHTTPS: !o.noGitHTTPS}
	spec.Env = p.Environ(os.Environ())
	if o.detached {
		if spec.Stdin, err = os.Open(os.DevNull); err != nil {
			return spec, runs, err
		}
		out, err := os.OpenFile(runs.OutputPath(box.ID), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return spec, runs, err
		}
		spec.Stdout, spec.Stderr = out, out
	}
	return spec, runs, nil
}
