package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/cli"
)

func newGateway(p *place) *cobra.Command {
	return cli.Group("gateway", "Run a gateway of your own, and ask how it is", newStart(p), newStatus(p), newStop(p))
}

type startOptions struct {
	place     *place
	config    string
	policies  []string
	proxy     string
	detach    bool
	embedded  bool
	untilIdle cli.Duration
	stdout    io.Writer
	stderr    io.Writer
}

func newStart(p *place) *cobra.Command {
	o := &startOptions{place: p}
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run a gateway for this user",
		Long: `Run a gateway for this user, in the foreground or with -d in the background.

It reads gateway.yaml below XDG_CONFIG_HOME/openshell if there is one, keeps its state
below XDG_STATE_HOME/openshell, and without policies serves the ready-made ones.
openshell-gateway is the same for a server.`,
		Example: "  openshell gateway start -d\n  openshell gateway start --policies policies/",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return start(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.config, "config", "c", "", "configuration `FILE`")
	f.StringSliceVar(&o.policies, "policies", nil, "policy files and folders (`PATH`, repeatable)")
	f.StringVar(&o.proxy, "listen-proxy", "", "`ADDRESS` of the proxy (default 127.0.0.1:8080)")
	f.BoolVarP(&o.detach, "detach", "d", false, "run in the background")
	f.Var(&o.untilIdle, "until-idle", "end when no sandbox has run for this `DURATION`")
	f.BoolVar(&o.embedded, "embedded", false, "")
	_ = f.MarkHidden("embedded")
	return cmd
}

func start(ctx context.Context, o *startOptions) error {
	if o.detach {
		return o.startDetached(ctx)
	}
	cfg, err := o.place.config(o.config)
	if err != nil {
		return err
	}
	if len(o.policies) > 0 {
		cfg.Policies = o.policies
	}
	switch {
	case o.proxy != "":
		cfg.Listen.Proxy = o.proxy
	case o.embedded && cfg.Listen.Proxy == gateway.DefaultConfig().Listen.Proxy:
		cfg.Listen.Proxy = "127.0.0.1:0"
	}
	log := wiring.OwnLog(slog.NewTextHandler(o.stderr, nil))
	err = wiring.Serve(ctx, cfg, wiring.Options{Log: log, UntilIdle: time.Duration(o.untilIdle)})
	var broken *wiring.CompileError
	if errors.As(err, &broken) {
		text := broken.Text(cli.Color(o.stderr))
		fmt.Fprint(o.stderr, text)
		err = errors.New("the policies do not compile")
		if strings.Contains(text, "applied/") {
			return cli.WithHint(err, "applied/ is %s, where policy apply -f and create --policy FILE store policies: remove a file there to forget it", filepath.Join(cfg.StateDir, "policies"))
		}
		return err
	}
	return err
}

func (o *startOptions) startDetached(ctx context.Context) error {
	if _, err := o.place.client(ctx); err == nil {
		return cli.WithHint(errors.New("a gateway is running already"), "openshell gateway status shows it; openshell gateway stop ends it")
	}
	var flags []string
	for name, value := range map[string]string{"--config": o.config, "--listen-proxy": o.proxy} {
		if value != "" {
			flags = append(flags, name, value)
		}
	}
	for _, p := range o.policies {
		flags = append(flags, "--policies", p)
	}
	if o.untilIdle > 0 {
		flags = append(flags, "--until-idle", o.untilIdle.String())
	}
	if _, err := o.place.launch(ctx, flags...); err != nil {
		return err
	}
	dir, err := o.place.dir()
	if err != nil {
		return err
	}
	serving, err := wiring.ReadServing(dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "gateway started: proxy %s, admin %s\n", serving.Proxy, serving.Admin)
	return err
}

type statusOptions struct {
	place  *place
	format *cli.Output
	stdout io.Writer
}

func newStatus(p *place) *cobra.Command {
	o := &statusOptions{place: p}
	cmd := &cobra.Command{
		Use: "status", Short: "Tell whether the gateway is ready, and with which policies",
		Long: "Tell whether the gateway is ready, and with which policies. Exit status: 0 ready, 1 not.",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout = cmd.OutOrStdout()
			return status(cmd.Context(), o)
		},
	}
	o.format = cli.AddOutput(cmd, "text", "json", "yaml")
	return cmd
}

func status(ctx context.Context, o *statusOptions) error {
	c, err := o.place.client(ctx)
	if err != nil {
		return cli.WithStatus(cli.ExitFindings, noGatewayHint(err))
	}
	ready, err := c.Ready(ctx)
	if err != nil {
		return err
	}
	switch o.format.String() {
	case "json":
		err = cli.WriteJSON(o.stdout, ready)
	case "yaml":
		err = cli.WriteYAML(o.stdout, ready)
	default:
		err = o.text(ctx)
	}
	if err == nil && !ready.Ready {
		err = cli.Exit(cli.ExitFindings)
	}
	return err
}

func (o *statusOptions) text(ctx context.Context) error {
	c, err := o.place.client(ctx)
	if err != nil {
		return err
	}
	ready, err := c.Ready(ctx)
	if err != nil {
		return err
	}
	boxes, err := c.Sandboxes(ctx, false)
	if err != nil {
		return err
	}
	policies, err := c.Policies(ctx)
	if err != nil {
		return err
	}
	word := "ready"
	if !ready.Ready {
		word = "not ready"
	}
	fmt.Fprintf(o.stdout, "gateway    %s\npolicies   %d, generation %d, revision %.12s, in force since %s\nsandboxes  %d running\n",
		word, len(policies.Policies), ready.Generation, ready.Revision, ready.Loaded.Local().Format(time.DateTime), len(boxes.Sandboxes))
	for _, problem := range []struct{ name, text string }{{"refused", ready.Refused}, {"log", ready.Audit}} {
		if problem.text != "" {
			fmt.Fprintf(o.stdout, "%-10s %s\n", problem.name, problem.text)
		}
	}
	return nil
}

func newStop(p *place) *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "End the gateway of this user", Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return stop(cmd.Context(), p, cmd.OutOrStdout()) },
	}
}

func stop(ctx context.Context, p *place, stdout io.Writer) error {
	if p.named() {
		return errors.New("only the gateway of the state folder can be stopped: leave --gateway and OPENSHELL_GATEWAY out")
	}
	if _, err := p.client(ctx); err != nil {
		return err
	}
	dir, err := p.dir()
	if err != nil {
		return err
	}
	serving, err := wiring.ReadServing(dir)
	if err != nil {
		return err
	}
	if err := syscall.Kill(serving.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop gateway (process %d): %w", serving.PID, err)
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := p.client(ctx); err != nil {
			_, err := fmt.Fprintln(stdout, "gateway stopped")
			return err
		}
	}
}
