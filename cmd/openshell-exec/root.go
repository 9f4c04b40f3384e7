package main

import (
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
)

// options are the command line.
type options struct {
	policy   string
	bundle   string
	name     string
	keys     []string
	auditDir string
	id       string
	agent    string
	home     string
	hot      bool
	reads    bool
	gateway  string
	token    string
	ca       string
	patience time.Duration
	flush    time.Duration
	degraded bool
	dir      string

	status int // of the command, where nothing else went wrong
}

func newRoot(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "openshell-exec (--policy FILE[:NAME] | --bundle FILE | --gateway URL --token-file FILE) -- COMMAND [ARG...]",
		Short: "Run a command whose files and programs a policy decides",
		Long: `Run a command whose files and programs a policy decides.

Everything that the command starts is decided too: the kernel asks before a program
is executed, and before a file is opened where the policy cannot be told to it
beforehand. What is denied fails with "Permission denied" and is one record of the
audit log. No privilege is needed; in a container no capability either.

A policy file that changes, and SIGHUP, put the new policy into force for what runs.
With --gateway the policy is the one that the sandbox is bound to there, a new one is
in force as soon as the gateway has it, and decisions are sent to the gateway. While
the gateway is away the last policy holds, and up to 8,192 records (8 MiB) wait;
after that whatever has to be recorded is denied (audit_unavailable). Without an
answer at the start nothing runs. The command finds the sandbox's token in its proxy
variables.

When the command ends, everything that it left behind is killed.

The exit status is the command's; 125 if openshell-exec failed, 126 if the command is
denied or cannot be executed, 127 if it is not found.`,
		Example: `  openshell-exec --policy github-readonly -- bash
  openshell-exec --policy policies/ci.yaml --audit ./audit -- make test
  openshell-exec --bundle bundle.tar.gz --policy-name full-dev --key key.pub.pem -- claude
  openshell-exec --gateway http://openshell-gateway:8080 --token-file /openshell/token/token -- claude`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.WithHint(errors.New("no command to run"), "openshell-exec --policy github-readonly -- bash")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), o, args) },
	}
	o.flags(cmd)
	cmd.AddCommand(newInstall())
	cli.FailWith(cmd, sandboxctl.StatusFailed)
	return cmd
}

func (o *options) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SetInterspersed(false)
	f.StringVarP(&o.policy, "policy", "p", "", "policy: a `FILE[:NAME]`, or the name of a ready-made one")
	f.StringVar(&o.bundle, "bundle", "", "compiled policies in a `FILE`")
	f.StringVar(&o.name, "policy-name", "", "`NAME` of the policy in a bundle that holds several")
	f.StringVar(&o.gateway, "gateway", "", "`URL` of the gateway's proxy listener, which knows the sandbox's policy")
	f.StringVar(&o.token, "token-file", "", "`FILE` of the sandbox's token at the gateway; read anew for each request")
	f.StringVar(&o.ca, "ca", "", "`FILE` of certificates (PEM) to trust an https gateway by")
	f.DurationVar(&o.patience, "gateway-wait", time.Minute, "how long to try to reach the gateway before giving up")
	f.DurationVar(&o.flush, "flush-wait", 10*time.Second, "how long to try to send the last records when the command has ended")
	f.StringArrayVar(&o.keys, "key", nil, "`FILE` of a public key that the bundle must be signed with; may be repeated")
	f.StringVar(&o.auditDir, "audit", "", "`DIR` of an audit log here; without it and without --gateway decisions are not recorded")
	f.StringVar(&o.id, "id", "", "the sandbox's `ID` in records (default: made up)")
	f.StringVar(&o.agent, "agent", "", "`NAME` of the agent in records")
	f.StringVar(&o.home, "home", os.Getenv("HOME"), "the sandbox's home `DIR`, where well-known secrets are blocked")
	f.BoolVar(&o.hot, "hot-files", false, "decide every open, so that file clauses can change while the command runs")
	f.BoolVar(&o.reads, "audit-reads", false, "record allowed reads of files too")
	f.BoolVar(&o.degraded, "allow-degraded", false, "run although this machine cannot enforce all of the policy")
	f.StringVarP(&o.dir, "dir", "C", "", "working `DIR` of the command")
}
