package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
)

type auditPruneOptions struct {
	dir      string
	keep     cli.Duration
	maxBytes int64
	dryRun   bool
	stdout   io.Writer
}

func newAuditPrune() *cobra.Command {
	o := &auditPruneOptions{}
	cmd := &cobra.Command{
		Use:   "prune LOG",
		Short: "Delete the oldest records of a log",
		Long: `Delete whole closed segments, oldest first. A record in the log says so first, and
the checkpoints and the upper part of the tree stay, so what is left can still be
verified. A log that a gateway writes cannot be pruned: the gateway does that by
itself (audit.keep, audit.max_bytes).`,
		Example: `  openshell-policy audit prune audit --keep 30d
  openshell-policy audit prune audit --max-bytes 10000000000 --dry-run`,
		Args: cli.Args(1, 1, "one LOG, a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.dir, o.stdout = args[0], cmd.OutOrStdout()
			return auditPrune(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Var(&o.keep, "keep", "delete segments whose records are all older than `DURATION`, such as 30d")
	f.Int64Var(&o.maxBytes, "max-bytes", 0, "delete the oldest segments while the log takes more `BYTES`")
	f.BoolVar(&o.dryRun, "dry-run", false, "delete nothing")
	return cmd
}

func auditPrune(ctx context.Context, o *auditPruneOptions) (err error) {
	if o.keep == 0 && o.maxBytes <= 0 {
		return cli.WithHint(errors.New("nothing says what may go"), "give --keep 30d or --max-bytes N")
	}
	if _, err := os.Stat(filepath.Join(o.dir, "key")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return cli.WithHint(fmt.Errorf("%s is not a log that this machine wrote: it holds no key", o.dir), "a gateway's log is the folder audit in its state folder")
		}
		return err
	}
	log, err := audit.Open(o.dir, audit.Options{})
	if audit.IsLocked(err) {
		return cli.WithHint(err, "set audit.keep and audit.max_bytes of the gateway, or stop it first")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	opts := audit.PruneOptions{MaxBytes: o.maxBytes, DryRun: o.dryRun}
	if o.keep > 0 {
		opts.Before = time.Now().Add(-time.Duration(o.keep))
	}
	report, err := log.Prune(ctx, opts)
	if err != nil {
		return err
	}
	would := ""
	if o.dryRun {
		would = "would have "
	}
	_, err = fmt.Fprintf(o.stdout, "%sdeleted %s in %s, %d bytes\n", would, count(int(report.Records), "record", "records"), count(report.Segments, "segment", "segments"), report.Bytes)
	return err
}
