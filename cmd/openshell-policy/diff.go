package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/internal/cli"
)

type diffOptions struct {
	args    []string
	against string
	failOn  string
	ignore  []string
	logs    []string
	format  string
	now     time.Time
	output
}

func newDiff() *cobra.Command {
	o := &diffOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "diff BEFORE AFTER | diff --against REVISION POLICY...",
		Short: "Say what a change of policies means",
		Long: `Say what a change of policies means: whether more or less passes than before, by
which rules, with a request, file operation or command for each difference.

BEFORE and AFTER are a policy file or folder, FILE:NAME, the name of a ready-made
policy, or a bundle (*.tar.gz). With --against, what the paths hold now is compared
with what they held in a revision of git. Policies are paired by name; two single
policies are compared whatever their names.

Each surface (mode, network, files, commands) is equivalent, narrower, wider,
incomparable (both) or unknown. What passes counts: a denial in audit mode passes, so
that enforce to audit is wider. The network and files are compared exactly; blocked
commands, pipelines and what carriers start by their structure, and where neither a
proof nor an example settles it the answer is unknown. Every example is decided by
the engine under both policies before it is shown. A policy that is added lets pass
what nothing did under its name, and one that is removed the other way round.

--ignore accepts a change for a reason and a time. Every word of it must match:
  --ignore 'policy=dev,surface=network,rule=outbound[2],until=2026-12-31,reason=agreed with the team'
or FILE, YAML with a list of such entries:
  - {policy: dev, surface: network, direction: wider, rule: "outbound[2]",
     until: 2026-12-31, reason: agreed with the team}
policy, reason and until are required; rule is one of either side.

Exit status: 0 compared (and --fail-on not met), 1 --fail-on met, 2 could not run,
which includes policies that do not compile.`,
		Example: `  openshell-policy diff --against main policies/
  openshell-policy diff old.yaml new.yaml --fail-on wider
  openshell-policy diff github-readonly full-dev
  openshell-policy diff --against main policies/ --logs ~/.local/state/openshell/audit
  openshell-policy diff bundle-7.tar.gz bundle-8.tar.gz -o markdown`,
		Args:              cli.Args(1, -1, "two policies, or --against and paths"),
		ValidArgsFunction: completePolicies,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.args, o.format, o.now = args, format.String(), time.Now()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == "json"}
			return runDiff(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.against, "against", "", "compare with what the paths held in a git `REVISION`, such as main")
	f.StringVar(&o.failOn, "fail-on", "", "exit with 1 on `WHAT`: wider, narrower, any, unknown; several with commas; wider and narrower include unknown")
	f.StringArrayVar(&o.ignore, "ignore", nil, "accept a change: `FILE` or key=value,... with policy, reason and until")
	f.StringArrayVar(&o.logs, "logs", nil, "also say what comes of the recorded traffic of a decision `LOG`; see replay --help")
	format = cli.AddOutput(cmd, "table", "json", "markdown", "sarif")
	return cmd
}

func runDiff(ctx context.Context, o *diffOptions) error {
	gates, err := parseGates(o.failOn)
	if err != nil {
		return err
	}
	accepted, err := readAccepted(o.ignore, o.now)
	if err != nil {
		return err
	}
	before, after, err := o.sides(ctx)
	if err != nil {
		return err
	}
	for _, s := range []*policySide{before, after} {
		if err := (output{o.stderr, o.stderr, false}).refuse(s.result, cli.ExitError); err != nil {
			return err
		}
	}
	c, err := compareSides(ctx, before, after)
	if err != nil {
		return comparisonError(err)
	}
	c.accept(accepted)
	if err := c.replay(ctx, o.logs, after); err != nil {
		return err
	}
	if err := c.write(o); err != nil {
		return err
	}
	for _, a := range accepted {
		if a.expired {
			fmt.Fprintf(o.stderr, "warning: --ignore for %s ended on %s and is not applied\n", a.Policy, a.Until)
		} else if a.used == 0 {
			fmt.Fprintf(o.stderr, "warning: --ignore for %s (%s) matches no change\n", a.Policy, a.Reason)
		}
	}
	if c.fails(gates) {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// comparisonError asks for a report where analysis and engine disagree.
func comparisonError(err error) error {
	var bug *diff.Mismatch
	if errors.As(err, &bug) {
		return cli.WithHint(err, "this is a fault of openshell-policy; nothing about the change is reported. Please report it with both policies")
	}
	return err
}

// gates are the words of --fail-on.
func parseGates(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	words := strings.Split(text, ",")
	for _, w := range words {
		if !slices.Contains([]string{"wider", "narrower", "any", "unknown"}, w) {
			return nil, cli.WithHint(fmt.Errorf("--fail-on %q is not one of wider, narrower, any, unknown", w), "join several with commas, as in --fail-on wider,unknown")
		}
	}
	return words, nil
}
