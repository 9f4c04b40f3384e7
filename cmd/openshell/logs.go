package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type logsOptions struct {
	place  *place
	ref    string
	follow bool
	since  cli.Duration
	denied bool
	asJSON bool
	line   audit.LineOptions
	stdout io.Writer
}

func newLogs(p *place) *cobra.Command {
	o := &logsOptions{place: p}
	cmd := &cobra.Command{
		Use: "logs SANDBOX", Short: "Print what a sandbox was allowed and denied",
		Long: `Print what a sandbox was allowed and denied, one line for each decision. It works
after the sandbox ended, too.`,
		Example: `  openshell sandbox logs sb-a1b2c3
  openshell sandbox logs a1b2c3 -f --denied
  openshell sandbox logs sb-a1b2c3 --since 1d --json`,
		Args: cli.Args(1, 1, "the id of a sandbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref, o.stdout = args[0], cmd.OutOrStdout()
			return logs(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on until the sandbox ends")
	f.Var(&o.since, "since", "only the last `DURATION`, such as 90s, 2h or 1d")
	f.BoolVar(&o.denied, "denied", false, "only what was denied")
	f.BoolVar(&o.asJSON, "json", false, "print whole records, one JSON object a line")
	f.BoolVar(&o.line.Wide, "wide", false, "add the code, the rule and its place")
	f.BoolVar(&o.line.Plain, "plain", false, "print ALLOWED and BLOCKED instead of ✅ and ❌")
	f.BoolVar(&o.line.UTC, "utc", false, "print times in UTC")
	return cmd
}

func logs(ctx context.Context, o *logsOptions) error {
	box, err := o.place.find(ctx, o.ref)
	if err != nil {
		return err
	}
	path, err := o.place.auditPath()
	if err != nil {
		return err
	}
	filter := audit.Filter{Sandbox: box.ID, Denied: o.denied}
	if o.since > 0 {
		filter.Since = time.Now().Add(-time.Duration(o.since))
	}
	printer := &printer{w: o.stdout, lines: audit.Lines{Options: o.line}, asJSON: o.asJSON}
	if o.follow && box.Status == adminapi.StatusRunning {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go o.untilEnded(ctx, box.ID, cancel)
		return audit.Follow(ctx, path, filter, printer.print)
	}
	for r, err := range audit.Records(path, audit.Position{Since: filter.Since}) {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was decided yet
		}
		if err != nil {
			return err
		}
		if !filter.Match(r) {
			continue
		}
		if err := printer.print(r); err != nil {
			return err
		}
	}
	return nil
}

// untilEnded cancels when the sandbox has ended and its last records are
// written.
func (o *logsOptions) untilEnded(ctx context.Context, id string, cancel func()) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if box, err := o.place.find(ctx, id); err == nil && box.Status != adminapi.StatusRunning {
			time.Sleep(500 * time.Millisecond)
			cancel()
			return
		}
	}
}

// printer prints records as lines or as JSON.
type printer struct {
	w      io.Writer
	lines  audit.Lines
	asJSON bool
}

func (p *printer) print(r *schemas.Record) error {
	if p.asJSON {
		enc := json.NewEncoder(p.w)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	for _, line := range p.lines.Next(r) {
		if _, err := fmt.Fprintln(p.w, line); err != nil {
			return err
		}
	}
	return nil
}
