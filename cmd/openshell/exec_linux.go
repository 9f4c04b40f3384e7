package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/sandboxctl/local"
	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type execOptions struct {
	place *place
	ref   string
	env   []string
	dir   string
	args  []string
}

// localCommands are what only a local sandbox can do.
func localCommands(p *place) []*cobra.Command {
	return append([]*cobra.Command{newExec(p), newConnect(p)}, overlayCommands(p)...)
}

func newExec(p *place) *cobra.Command {
	o := &execOptions{place: p}
	cmd := &cobra.Command{
		Use: "exec SANDBOX -- COMMAND [ARG...]", Short: "Run a further command in a running sandbox",
		Long: `Run a further command in a running sandbox, under the same policy.

The exit status is the command's; 125 says that openshell failed, 126 that the
command cannot be executed or is denied, 127 that there is none of that name.`,
		Example: "  openshell sandbox exec sb-a1b2c3 -- git status",
		Args:    cli.Args(2, -1, "the id of a sandbox, and a command after --"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref, o.args = args[0], args[1:]
			return execute(cmd.Context(), o)
		},
	}
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	o.flags(cmd)
	return cmd
}

func newConnect(p *place) *cobra.Command {
	o := &execOptions{place: p, args: []string{"bash"}}
	cmd := &cobra.Command{
		Use: "connect SANDBOX", Short: "Open a shell in a running sandbox",
		Example: "  openshell sandbox connect sb-a1b2c3",
		Args:    cli.Args(1, 1, "the id of a sandbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref = args[0]
			return execute(cmd.Context(), o)
		},
	}
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	o.flags(cmd)
	return cmd
}

func (o *execOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.env, "env", nil, "`NAME` of a variable to pass on, or NAME=VALUE; repeatable")
	cmd.Flags().StringVarP(&o.dir, "dir", "C", ns.Workspace, "`FOLDER` of the sandbox to run it in")
}

// localSandbox finds a sandbox that this machine runs.
func localSandbox(ctx context.Context, p *place, ref string) (adminapi.Sandbox, *local.Client, error) {
	box, err := p.find(ctx, ref)
	if err != nil {
		return box, nil, err
	}
	if box.Status != adminapi.StatusRunning {
		return box, nil, fmt.Errorf("sandbox %s has ended (%s)", box.ID, box.Status)
	}
	dir, err := p.localDir(box.ID)
	return box, local.Connect(dir), err
}

func execute(ctx context.Context, o *execOptions) error {
	box, client, err := localSandbox(ctx, o.place, o.ref)
	if err != nil {
		return err
	}
	p := sandboxctl.Proxied{ID: box.ID, ProxyURL: local.ProxyURL, CABundle: local.CABundlePath, GitHTTPS: true}
	cmd := local.Command{Args: o.args, Env: p.Environ(environ("", o.env, nil)), Dir: o.dir, TTY: onTerminal()}
	remote, err := client.Exec(cmd, [3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		if errors.Is(err, local.ErrNotRunning) {
			return cli.WithHint(fmt.Errorf("sandbox %s: %w", box.ID, err), "only sandboxes of runtime local take further commands")
		}
		status, err := startFailed(spawnFailed(err))
		return cli.WithStatus(status, err)
	}
	signals := catchSignals()
	defer signals.stop()
	signals.forward(remoteProcess{remote})
	drain := func() {}
	if remote.Terminal != nil {
		if drain, err = attach(remote.Terminal); err != nil {
			return err
		}
	}
	status, err := remote.Wait()
	drain()
	if err != nil {
		return err
	}
	if status != 0 {
		return cli.Exit(status)
	}
	return nil
}

// remoteProcess is a command that another process supervises.
type remoteProcess struct{ *local.Remote }

func (remoteProcess) PID() int { return 0 }

// localDetails are what the supervisor of a local sandbox says, for programs and
// for people; nothing where there is none.
func localDetails(p *place, id string) (any, []string) {
	dir, err := p.localDir(id)
	if err != nil {
		return nil, nil
	}
	status, err := local.Connect(dir).Status()
	if err != nil {
		return nil, nil
	}
	lines := []string{
		fmt.Sprintf("%-8s %s, files %s", "level", status.Level, status.FileMode),
		fmt.Sprintf("%-8s %s%s", "memory", size(status.Memory), ofLimit(status)),
		fmt.Sprintf("%-8s %.1fs", "cpu", status.CPU.Seconds()),
	}
	if status.Stops != nil {
		lines = append(lines, fmt.Sprintf("%-8s at %s", "stops", status.Stops.Local().Format("15:04")))
	}
	return status, lines
}

func ofLimit(s local.SandboxStatus) string {
	text := ""
	if s.Limits.MemoryBytes > 0 {
		text += " of " + size(s.Limits.MemoryBytes)
	}
	if s.Peak > 0 {
		text += ", peak " + size(s.Peak)
	}
	return text
}

func size(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// refreshLocal has the sandboxes of this machine take what changed at the
// gateway, and returns the paths that need a restart.
func refreshLocal(p *place, ids ...string) ([]string, error) {
	var restart []string
	for _, id := range ids {
		dir, err := p.localDir(id)
		if err != nil {
			return restart, err
		}
		change, err := local.Connect(dir).Refresh()
		if errors.Is(err, local.ErrNotRunning) {
			continue // another runtime's
		}
		if err != nil {
			return restart, fmt.Errorf("sandbox %s: %w", id, err)
		}
		restart = append(restart, change.RestartRequired...)
	}
	slices.Sort(restart)
	return slices.Compact(restart), nil
}
