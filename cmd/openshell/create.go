package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/none"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type createOptions struct {
	place      *place
	policy     string
	runtime    string
	detach     bool
	detached   bool // this is the process that -d left behind
	noGitHTTPS bool
	quiet      bool
	args       []string
	stdout     io.Writer
	stderr     io.Writer
}

func newCreate(p *place) *cobra.Command {
	o := &createOptions{place: p}
	cmd := &cobra.Command{
		Use:   "create [--policy NAME|FILE] [-d] -- COMMAND [ARG...]",
		Short: "Run a command in a new sandbox",
		Long: `Run a command in a new sandbox.

Its requests go through the gateway, which allows what the policy allows. The policy
is the name of one that the gateway has or that is ready-made (openshell policy list),
or a file; without one, nothing leaves.

--runtime none, the only one there is today, asks the command's clients to use the
gateway by their proxy variables, and confines nothing: files and commands are not
checked, and a program that ignores the variables reaches the network.

The exit status is the command's; 125 says that openshell failed, 126 that the
command cannot be executed, 127 that there is none of that name.`,
		Example: `  openshell sandbox create --policy github-readonly -- claude
  openshell sandbox create --policy ./team.yaml -- git clone https://github.com/org/app
  openshell sandbox create --policy full-dev -d -- npm test`,
		Args: cli.Args(1, -1, "a command after --"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args, o.stdout, o.stderr = args, cmd.OutOrStdout(), cmd.ErrOrStderr()
			return create(cmd.Context(), o)
		},
	}
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&o.policy, "policy", "p", "", "`POLICY` of the sandbox: a name or a file")
	f.StringVar(&o.runtime, "runtime", "none", "`RUNTIME` that confines the command: none")
	f.BoolVarP(&o.detach, "detach", "d", false, "run in the background and print the sandbox's id")
	f.BoolVar(&o.noGitHTTPS, "no-git-https", false, "leave git@github.com: URLs as they are; SSH does not go through the gateway")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print nothing of our own but errors")
	f.BoolVar(&o.detached, "detached", false, "")
	_ = f.MarkHidden("detached")
	return cmd
}

func create(ctx context.Context, o *createOptions) error {
	rt, err := pickRuntime(o.runtime)
	if err != nil {
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
	box, err := c.Create(ctx, adminapi.CreateSandbox{Agent: filepath.Base(o.args[0]), Policy: name})
	if err != nil {
		return err
	}
	o.note("sandbox %s: %s under %s (%s, %s)", box.ID, box.Agent, box.Policy, rt.Name(), rt.Confines())
	if rt.Name() == "none" {
		o.note("warning: nothing but the proxy variables leads requests through the policy, and files and commands are not checked")
	}
	status, err := o.supervise(ctx, rt, box)
	end(c, box.ID, status)
	if err != nil {
		return err
	}
	if status != 0 {
		return cli.Exit(status)
	}
	return nil
}

// end tells the gateway how the sandbox ended; it may have been told already, or
// be gone.
func end(c *adminapi.Client, id string, status int) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	word := adminapi.StatusStopped
	if status != 0 {
		word = adminapi.StatusFailed
	}
	_, _ = c.End(ctx, id, word, &status)
}

// note prints a line of our own on stderr.
func (o *createOptions) note(format string, args ...any) {
	if !o.quiet {
		fmt.Fprintf(o.stderr, format+"\n", args...)
	}
}

func pickRuntime(name string) (sandboxctl.Runtime, error) {
	switch name {
	case "none":
		return none.Runtime{}, nil
	case "local", "kubernetes":
		return nil, cli.WithHint(fmt.Errorf("--runtime %s does not exist yet", name),
			"--runtime none runs the command under the policy's network rules, without kernel confinement")
	}
	return nil, cli.WithHint(fmt.Errorf("no runtime %q", name), "--runtime none is the only one there is today")
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

// supervise starts the command and stays until it ends.
func (o *createOptions) supervise(ctx context.Context, rt sandboxctl.Runtime, box adminapi.CreatedSandbox) (int, error) {
	spec, runs, err := o.spec(box)
	if err != nil {
		return sandboxctl.StatusFailed, err
	}
	run := sandboxctl.Run{ID: box.ID, Runtime: rt.Name(), Command: o.args, Started: time.Now().UTC()}
	run.Dir, _ = os.Getwd()
	signals := catchSignals()
	defer signals.stop()
	process, err := rt.Start(ctx, spec)
	if err != nil {
		return startFailed(err)
	}
	run.Child = process.PID()
	if err := runs.Save(run); err != nil {
		_ = process.Signal(os.Kill)
		_, _ = process.Wait()
		return sandboxctl.StatusFailed, err
	}
	defer runs.Remove(box.ID)
	if o.detached {
		if err := letGo(o.stdout, box.ID); err != nil {
			_ = process.Signal(os.Kill)
		}
	}
	signals.forward(process)
	return process.Wait()
}

func startFailed(err error) (int, error) {
	var start *sandboxctl.StartError
	if !errors.As(err, &start) {
		return sandboxctl.StatusFailed, err
	}
	return start.Status, cli.WithStatus(start.Status, err)
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
	bundle := filepath.Join(filepath.Dir(runs.Dir), "ca-bundle.pem")
	if err := sandboxctl.WriteCABundle(bundle, os.Getenv("SSL_CERT_FILE"), []byte(box.CAPEM)); err != nil {
		return spec, runs, err
	}
	p := sandboxctl.Proxied{ID: box.ID, ProxyURL: box.ProxyURL(), CABundle: bundle, GitHTTPS: !o.noGitHTTPS}
	spec.Env = p.Environ(os.Environ())
	if o.detached {
		spec.Stdin = nil
		out, err := os.OpenFile(runs.OutputPath(box.ID), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return spec, runs, err
		}
		spec.Stdout, spec.Stderr = out, out
	}
	return spec, runs, nil
}
