package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/cli"
)

type serveOptions struct {
	config       string
	policies     []string
	proxy        string
	admin        string
	socks        string
	transparent  string
	stateDir     string
	auditPath    string
	auditMode    string
	denyConnect  string
	roots        string
	allowPrivate []string
	loopback     bool
	logFormat    string
	logLevel     slog.Level
	stdout       io.Writer
	stderr       io.Writer
}

func newRoot() *cobra.Command {
	o := &serveOptions{}
	cmd := &cobra.Command{
		Use:   "openshell-gateway",
		Short: "Serve the proxy that sandboxes send their requests through",
		Long: `Serve the proxy that sandboxes send their requests through.

Settings come from the configuration file, over it from OPENSHELL_* variables
(OPENSHELL_POLICIES, OPENSHELL_LISTEN_PROXY, OPENSHELL_LISTEN_ADMIN,
OPENSHELL_STATE_DIR, OPENSHELL_AUDIT_PATH, OPENSHELL_AUDIT_MODE, OPENSHELL_DENY_CONNECT), over those from
flags. Without policies the ready-made ones are served. A policy that does not
compile keeps the gateway from starting; at run time the ones before stay in force.`,
		Example: `  openshell-gateway --config gateway.yaml
  openshell-gateway --policies policies/ --state-dir /var/lib/openshell
  openshell-gateway check-config --config gateway.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return serve(cmd.Context(), cmd, o)
		},
	}
	o.flags(cmd)
	check := &cobra.Command{
		Use: "check-config", Short: "Read the configuration, compile the policies, and say what would be served",
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout, o.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return checkConfig(cmd, o)
		},
	}
	cmd.AddCommand(check, cli.VersionCommand())
	return cmd
}

func (o *serveOptions) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&o.config, "config", "c", "", "configuration `FILE` (YAML)")
	f.StringSliceVar(&o.policies, "policies", nil, "policy files and folders (`PATH`, repeatable)")
	f.StringVar(&o.proxy, "listen-proxy", "", "`ADDRESS` of the proxy, host:port")
	f.StringVar(&o.admin, "listen-admin", "", "`ADDRESS` of the admin API, host:port on loopback or unix:/path")
	f.StringVar(&o.socks, "listen-socks", "", "`ADDRESS` where SOCKS 5 is spoken, host:port (default: nowhere)")
	f.StringVar(&o.transparent, "listen-transparent", "", "`ADDRESS` that connections are redirected to, host:port (default: nowhere)")
	f.StringVar(&o.stateDir, "state-dir", "", "`FOLDER` for sandboxes, certificates and the log")
	f.StringVar(&o.auditPath, "audit-path", "", "`FOLDER` of the decision log")
	f.StringVar(&o.auditMode, "audit-mode", "", "when a request may go on: strict (its record is on disk) or bounded (it is queued)")
	f.StringVar(&o.denyConnect, "deny-connect", "", "where a CONNECT to an unknown host is denied: inside or plain")
	f.StringVar(&o.roots, "upstream-roots", "", "`FILE` of certificates that upstreams must chain to (default: the system's)")
	f.StringSliceVar(&o.allowPrivate, "allow-private", nil, "private `CIDR` that every rule may reach, repeatable")
	f.BoolVar(&o.loopback, "allow-loopback", false, "let upstreams be on this machine; for tests")
	f.StringVar(&o.logFormat, "log-format", "text", "format of the gateway's own log: text or json")
	f.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "least level of the gateway's own log: debug, info, warn or error")
}

// load reads the configuration and puts the flags that were given over it.
func (o *serveOptions) load(cmd *cobra.Command) (gateway.Config, error) {
	cfg, err := wiring.LoadConfig(o.config, o.stateDir)
	if err != nil {
		return cfg, err
	}
	for name, set := range map[string]func(){
		"policies":           func() { cfg.Policies = o.policies },
		"listen-proxy":       func() { cfg.Listen.Proxy = o.proxy },
		"listen-admin":       func() { cfg.Listen.Admin = o.admin },
		"listen-socks":       func() { cfg.Listen.SOCKS = o.socks },
		"listen-transparent": func() { cfg.Listen.Transparent = o.transparent },
		"audit-path":         func() { cfg.Audit.Path = o.auditPath },
		"audit-mode":         func() { cfg.Audit.Mode = audit.Mode(o.auditMode) },
		"deny-connect":       func() { cfg.DenyConnect = o.denyConnect },
		"upstream-roots":     func() { cfg.UpstreamRoots = o.roots },
		"allow-loopback":     func() { cfg.AllowLoopback = o.loopback },
	} {
		if cmd.Flags().Changed(name) {
			set()
		}
	}
	for _, s := range o.allowPrivate {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return cfg, fmt.Errorf("--allow-private %q is not a CIDR such as 10.0.0.0/8", s)
		}
		cfg.AllowPrivate = append(cfg.AllowPrivate, prefix)
	}
	return cfg, cfg.Validate()
}

func (o *serveOptions) logger() (*slog.Logger, error) {
	opts := &slog.HandlerOptions{Level: o.logLevel}
	switch o.logFormat {
	case "text":
		return wiring.OwnLog(slog.NewTextHandler(o.stderr, opts)), nil
	case "json":
		return wiring.OwnLog(slog.NewJSONHandler(o.stderr, opts)), nil
	}
	return nil, fmt.Errorf("--log-format is %q, not text or json", o.logFormat)
}

func serve(ctx context.Context, cmd *cobra.Command, o *serveOptions) error {
	cfg, err := o.load(cmd)
	if err != nil {
		return err
	}
	log, err := o.logger()
	if err != nil {
		return err
	}
	collectLess(os.LookupEnv)
	return o.explained(wiring.Serve(ctx, cfg, wiring.Options{Log: log}))
}

func checkConfig(cmd *cobra.Command, o *serveOptions) error {
	cfg, err := o.load(cmd)
	if err != nil {
		return err
	}
	if cfg.Bundle.Set() {
		return checkBundle(cmd.Context(), cfg, o)
	}
	policies := wiring.NewPolicies(cfg.Policies, cfg.StateDir)
	bundle, warnings, err := policies.Compile(cmd.Context())
	if err != nil {
		return o.explained(err)
	}
	for _, w := range warnings {
		fmt.Fprintln(o.stderr, "warning:", w)
	}
	_, err = fmt.Fprintf(o.stdout, "proxy    %s\nadmin    %s\nstate    %s\nlog      %s\npolicies %s (bundle of %d bytes)\n",
		cfg.Listen.Proxy, cfg.Listen.Admin, cfg.StateDir, cfg.AuditPath(), policies.Summary(), len(bundle))
	return err
}

// explained prints the diagnostics of policies that do not compile.
func (o *serveOptions) explained(err error) error {
	var broken *wiring.CompileError
	if errors.As(err, &broken) {
		fmt.Fprint(o.stderr, broken.Text(cli.Color(o.stderr)))
		return cli.WithHint(errors.New("the policies do not compile"), "openshell-policy explain CODE says more about a code")
	}
	return err
}
