package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

type replayOptions struct {
	selection
	against string
	failOn  string
	format  string
	output
}

func newReplay() *cobra.Command {
	o := &replayOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use: "replay LOG... --against POLICY", Short: "Say what a policy would have decided of what logs hold",
		Long: `Decide again what logs hold, under the policy of today, and say what would come out
differently: how often, when first and last, with a sample, and by which rule.

` + auditLogs + `

--against is a policy file or folder, FILE:NAME, the name of a ready-made policy, or a
bundle (*.tar.gz). It decides the records of the policies of the same names; with
--policy NAME, the one policy of --against decides the records of NAME. Where others
were bound beside a policy, the same are bound beside the new one.

Nothing is guessed. A record whose input was masked or erased, or that was denied for
what no policy says (an address, a limit, an identity), is counted as not replayable.
A request is decided in every way in which its recorded form can be read; what a
header asked to override is not in the log.

Exit status: 0 replayed (and --fail-on not met), 1 --fail-on met or a log is damaged,
2 could not run, which includes logs without a record of the policies.`,
		Example: `  openshell-policy replay ~/.local/state/openshell/audit --against policies/
  openshell-policy replay gw-0/audit gw-1/audit --since 30d --against dev.yaml --fail-on newly-denied
  openshell-policy replay audit --policy github-readonly --against full-dev -o markdown`,
		Args: cli.Args(1, -1, "at least one LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.format = format.String()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == "json"}
			return runReplay(cmd.Context(), o, args)
		},
	}
	o.flags(cmd, true)
	f := cmd.Flags()
	f.Lookup("policy").Usage = "decide the records of the policy `NAME`, whatever the new one is called"
	f.StringVar(&o.against, "against", "", "the `POLICY` that decides (required)")
	f.StringVar(&o.failOn, "fail-on", "", "exit with 1 on `WHAT`: newly-denied, newly-allowed or any; several with commas")
	_ = cmd.RegisterFlagCompletionFunc("against", completePolicies)
	format = cli.AddOutput(cmd, "text", "json", "markdown")
	return cmd
}

func runReplay(ctx context.Context, o *replayOptions, args []string) error {
	if o.against == "" {
		return cli.WithHint(errors.New("--against is missing: which policy is to decide?"), "openshell-policy replay LOG --against policies/")
	}
	gates, err := replayGates(o.failOn)
	if err != nil {
		return err
	}
	side, err := compiled(o.output, o.against)
	if err != nil {
		return err
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	r, err := replayed(ctx, &o.selection, logs, side)
	if err != nil {
		return err
	}
	if err := writeReplay(o.stdout, r, o.format); err != nil {
		return err
	}
	if slices.ContainsFunc(gates, func(k replay.Kind) bool { return r.Counts[k] > 0 }) {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// replayed replays what a selection picks of logs.
func replayed(ctx context.Context, s *selection, logs []string, side *policySide) (*replay.Report, error) {
	t, filter, err := s.target(side)
	if err != nil {
		return nil, err
	}
	r, err := replay.Events(ctx, query.Events(logs, filter), t.find)
	if err != nil {
		return r, replayError(err, side)
	}
	return r, nil
}

// target says who decides the records of the selection, which it also makes ready.
func (s *selection) target(side *policySide) (*replayTarget, query.Filter, error) {
	if err := s.ready(time.Now()); err != nil {
		return nil, query.Filter{}, err
	}
	filter := s.filter
	filter.Type, filter.Policy = schemas.RecordDecision, "" // records of joined policies too
	t, err := newReplayTarget(side, s.filter.Policy)
	return t, filter, err
}

// replayError tells records of other policies from a log that is damaged.
func replayError(err error, side *policySide) error {
	if errors.Is(err, replay.ErrNothing) {
		return cli.WithHint(err, "%s is replayed against: name the policy of the records by --policy NAME", strings.Join(side.names(), ", "))
	}
	return corrupt(err)
}

func replayGates(text string) ([]replay.Kind, error) {
	var out []replay.Kind
	for w := range strings.SplitSeq(text, ",") {
		switch k := replay.Kind(w); {
		case text == "":
		case w == "any":
			out = append(out, replay.NewlyDenied, replay.NewlyAllowed, replay.Audited, replay.Settled)
		case k == replay.NewlyDenied || k == replay.NewlyAllowed:
			out = append(out, k)
		default:
			return nil, cli.WithHint(fmt.Errorf("--fail-on %q is not one of newly-denied, newly-allowed, any", w), "join several with commas")
		}
	}
	return out, nil
}
