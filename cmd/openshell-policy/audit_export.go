package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/export"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

type auditExportOptions struct {
	selection
	decisions bool
	out       string
	format    string
	stdout    io.Writer
}

func newAuditExport() *cobra.Command {
	o := &auditExportOptions{}
	format := cli.NewOutput(export.Formats...)
	cmd := &cobra.Command{
		Use: "export LOG...", Short: "Write decision logs for other programs",
		Long: `Write decision logs for other programs, as

  ndjson  the records as they are, one a line
  csv     one row a record; no cell is a formula
  ocsf    one OCSF 1.5 event a line: 4002 HTTP Activity, 4001 Network Activity,
          1001 File System Activity, 1007 Process Activity
  opa     one array, as OPA uploads decision logs

` + auditLogs,
		Example: `  openshell-policy audit export audit --format csv --out denied.csv --decision deny
  openshell-policy audit export gw-0/audit gw-1/audit --format ocsf | gzip > events.ndjson.gz`,
		Args: cli.Args(1, -1, "at least one LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.format, o.stdout = format.String(), cmd.OutOrStdout()
			return auditExport(cmd.Context(), o, args)
		},
	}
	o.flags(cmd, true)
	f := cmd.Flags()
	f.Var(format, "format", "what to write: ndjson, csv, ocsf or opa")
	f.BoolVar(&o.decisions, "decisions", false, "only decisions, not outcomes, admin actions and what the log says of itself")
	f.StringVar(&o.out, "out", "", "write to `FILE`, which appears when it is whole")
	complete(cmd, "format", export.Formats...)
	return cmd
}

func auditExport(ctx context.Context, o *auditExportOptions, args []string) error {
	if err := o.ready(time.Now()); err != nil {
		return err
	}
	if o.decisions {
		o.filter.Type = schemas.RecordDecision
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	if o.out == "" {
		err = o.write(ctx, o.stdout, logs)
		if errors.Is(err, syscall.EPIPE) {
			return nil
		}
		return corrupt(err)
	}
	f, err := os.CreateTemp(filepath.Dir(o.out), "."+filepath.Base(o.out)+".*")
	if err != nil {
		return err
	}
	err = errors.Join(o.write(ctx, f, logs), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), o.out)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return corrupt(err)
}

func (o *auditExportOptions) write(ctx context.Context, to io.Writer, logs []string) error {
	w, err := export.New(o.format, to)
	if err != nil {
		return err
	}
	terminal := cli.IsTerminal(to)
	for e, err := range query.Events(logs, o.filter) {
		if err == nil {
			if terminal { // elsewhere the bytes are those of the log
				e.Line, e.Raw = audit.SafeJSON(e.Line), nil
			}
			err = w.Write(e)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}
