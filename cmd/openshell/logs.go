package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
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
	all    bool
	asJSON bool
	line   audit.LineOptions
	stdout io.Writer
}

func newLogs(p *place) *cobra.Command {
	o := &logsOptions{place: p}
	cmd := &cobra.Command{
		Use: "logs SANDBOX", Short: "Print what a sandbox was allowed and denied",
		Long: `Print what a sandbox was allowed and denied, one line for each decision. It works
after the sandbox ended, too. What the gateway decided and, for a local sandbox, the files
and commands that its supervisor decided are merged by time.

Every request is printed. Of files and commands it is what was denied, or let pass in mode
audit; of what was done to the sandbox, which policy it was given. --all prints the rest.`,
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
	f.BoolVar(&o.all, "all", false, "also files and commands that were allowed, what was done to the sandbox, and what the log says of itself")
	f.BoolVar(&o.asJSON, "json", false, "print whole records, one JSON object a line")
	f.BoolVar(&o.line.Wide, "wide", false, "add the code, the rule and its place, and say which allowed requests failed upstream")
	f.BoolVar(&o.line.Plain, "plain", false, "print ALLOWED and BLOCKED instead of ✅ and ❌")
	f.BoolVar(&o.line.UTC, "utc", false, "print times in UTC")
	return cmd
}

func logs(ctx context.Context, o *logsOptions) error {
	box, err := o.place.find(ctx, o.ref)
	if err != nil {
		return err
	}
	paths, err := o.place.logsOf(box.ID)
	if err != nil {
		return err
	}
	filter := query.Filter{Sandbox: box.ID}
	if o.denied {
		filter.Decision = "deny"
	}
	if o.since > 0 {
		filter.Since = time.Now().Add(-time.Duration(o.since))
	}
	printer := &printer{w: o.stdout, lines: audit.Lines{Options: o.line}, asJSON: o.asJSON, all: o.all}
	if o.follow && box.Status == adminapi.StatusRunning {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go o.untilEnded(ctx, box.ID, cancel)
		return query.Follow(ctx, paths, filter, printer.print)
	}
	for e, err := range query.Events(existing(paths), filter) {
		if err == nil {
			err = printer.print(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// existing leaves out what is not there: nothing was decided yet.
func existing(paths []string) []string {
	return slices.DeleteFunc(paths, func(p string) bool {
		_, err := os.Stat(p)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// logsOf are the logs that hold records of a sandbox: the gateway's, and the one
// that a local sandbox's supervisor writes.
func (p *place) logsOf(id string) ([]string, error) {
	gateway, err := p.auditPath()
	if err != nil {
		return nil, err
	}
	dir, err := p.dir()
	if err != nil {
		return nil, err
	}
	paths := []string{gateway}
	if box := filepath.Join(dir, "local", id); isDir(box) {
		paths = append(paths, filepath.Join(box, "audit"))
	}
	return paths, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
	all    bool
}

// worth tells whether a record is printed without --all: programs read thousands
// of files, and each is a decision.
func worth(e *query.Event) bool {
	f := &e.Fields
	switch string(f.Type) {
	case schemas.RecordOutcome:
		return true
	case schemas.RecordDecision:
		kind := schemas.Kind(f.Kind)
		return kind != schemas.KindFile && kind != schemas.KindExec || f.Verdict() != "allow"
	case schemas.RecordAdmin:
		r, err := e.Record()
		return err == nil && r.Custom.Admin != nil && r.Custom.Admin.Action == "set-policy"
	}
	return false
}

func (p *printer) print(e *query.Event) error {
	if !p.all && !worth(e) {
		return nil
	}
	if p.asJSON {
		var b bytes.Buffer
		if err := json.Compact(&b, audit.SafeJSON(e.Line)); err != nil {
			return err
		}
		b.WriteByte('\n')
		_, err := b.WriteTo(p.w)
		return err
	}
	r, err := e.Record()
	if err != nil {
		return err
	}
	for _, line := range p.lines.Next(r) {
		if _, err := fmt.Fprintln(p.w, line); err != nil {
			return err
		}
	}
	return nil
}
