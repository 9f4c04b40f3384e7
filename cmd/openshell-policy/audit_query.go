package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

type auditQueryOptions struct {
	selection
	follow bool
	all    bool
	limit  int
	utc    bool
	format string
	stdout io.Writer
	stderr io.Writer
}

func newAuditQuery() *cobra.Command {
	o := &auditQueryOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use: "query LOG...", Short: "Find records in decision logs",
		Long: `Find records in decision logs.

` + auditLogs + `

Exit status: 0, also when nothing is found; 1 a log is damaged; 2 could not read.`,
		Example: `  openshell-policy audit query ~/.local/state/openshell/audit --decision deny --since 1d
  openshell-policy audit query gw-0/audit gw-1/audit --host '*.github.com' --method POST -o ndjson
  openshell-policy audit query audit --sandbox sb-a1b2c3 --follow
  kubectl logs deploy/opa | openshell-policy audit query -`,
		Args: cli.Args(1, -1, "at least one LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.format, o.stdout, o.stderr = format.String(), cmd.OutOrStdout(), cmd.ErrOrStderr()
			return auditQuery(cmd.Context(), o, args)
		},
	}
	o.flags(cmd, true)
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what is appended")
	f.BoolVar(&o.all, "all", false, "not only decisions: also outcomes, admin actions and what the log says of itself")
	f.IntVar(&o.limit, "limit", 0, "stop after `N` records")
	f.BoolVar(&o.utc, "utc", false, "print times in UTC")
	format = cli.AddOutput(cmd, "table", "json", "ndjson")
	return cmd
}

func auditQuery(ctx context.Context, o *auditQueryOptions, args []string) error {
	if err := o.ready(time.Now()); err != nil {
		return err
	}
	if o.follow && o.format == "json" {
		return cli.WithHint(errors.New("an array that is followed never ends"), "use -o ndjson with --follow")
	}
	if !o.all {
		o.filter.Type = schemas.RecordDecision
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	p := query.NewPrinter(o.stdout, o.format)
	p.Logs = logs
	if o.utc {
		p.Zone = time.UTC
	}
	if cli.Color(o.stdout) {
		p.Paint = paintVerdict
	}
	if err := o.print(ctx, p, logs); err != nil {
		return err
	}
	return quietPipe(p.Close())
}

// errEnough ends reading at --limit.
var errEnough = errors.New("enough")

func (o *auditQueryOptions) print(ctx context.Context, p *query.Printer, logs []string) error {
	one := func(e *query.Event) error {
		err := p.Print(e)
		if err == nil && o.follow {
			err = p.Flush()
		}
		if err == nil && o.limit > 0 && p.Count() >= o.limit {
			err = errEnough
		}
		return err
	}
	var err error
	if o.follow {
		err = query.Follow(ctx, logs, o.filter, one)
	} else {
		err = o.read(ctx, logs, one)
	}
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(err, syscall.EPIPE):
		return cli.Exit(cli.ExitOK)
	case err != nil:
		_ = p.Close() // what was found is shown, then what is wrong
	}
	return corrupt(err)
}

func (o *auditQueryOptions) read(ctx context.Context, logs []string, one func(*query.Event) error) error {
	var skipped int
	defer func() {
		if skipped > 0 {
			fmt.Fprintf(o.stderr, "%d lines are no decisions and were left out\n", skipped)
		}
	}()
	for e, err := range query.EventsCounting(logs, o.filter, &skipped) {
		if err == nil {
			err = one(e)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quietPipe makes nothing of a reader that has had enough, such as head.
func quietPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func paintVerdict(verdict, line string) string {
	switch verdict {
	case "deny":
		return cli.Paint(true, cli.Red, line)
	case "audit":
		return cli.Paint(true, cli.Yellow, line)
	}
	return line
}
