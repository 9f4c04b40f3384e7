package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/internal/cli"
)

type auditStatsOptions struct {
	selection
	top    int
	utc    bool
	svg    string
	json   bool
	stdout io.Writer
}

func newAuditStats() *cobra.Command {
	o := &auditStatsOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use: "stats LOG...", Short: "Count decisions: what was denied most, by sandbox, over time",
		Long: `Count decisions: what was denied most, by sandbox, over time.

Closed segments of a log are not read: they were counted when they were closed, by the
minute. ` + auditLogs,
		Example: `  openshell-policy audit stats ~/.local/state/openshell/audit --since 7d
  openshell-policy audit stats gw-0/audit gw-1/audit --svg denied.svg --decision violation
  openshell-policy audit stats audit --sandbox sb-a1b2c3 -o json`,
		Args: cli.Args(1, -1, "at least one LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.json, o.stdout = format.String() == "json", cmd.OutOrStdout()
			return auditStats(o, args)
		},
	}
	o.flags(cmd, false)
	f := cmd.Flags()
	f.IntVar(&o.top, "top", 10, "rows of each table")
	f.StringVar(&o.svg, "svg", "", "also draw the timeline into `FILE`; - is stdout, and nothing else is printed")
	f.BoolVar(&o.utc, "utc", false, "print times in UTC")
	format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

func auditStats(o *auditStatsOptions, args []string) error {
	if err := o.ready(time.Now()); err != nil {
		return err
	}
	if o.top < 0 {
		return fmt.Errorf("--top %d: a table has no fewer than 0 rows", o.top)
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	stats, err := query.Count(logs, o.filter, query.CountOptions{Top: o.top, Buckets: 60})
	if err != nil {
		return corrupt(err)
	}
	zone := time.Local
	if o.utc {
		zone = time.UTC
	}
	if o.svg != "" {
		if err := o.draw(stats, zone); err != nil || o.svg == "-" {
			return err
		}
	}
	if o.json {
		return quietPipe(stats.JSON(o.stdout))
	}
	return quietPipe(stats.Text(o.stdout, zone))
}

func (o *auditStatsOptions) draw(stats *query.Stats, zone *time.Location) error {
	if o.svg == "-" {
		return stats.SVG(o.stdout, zone)
	}
	f, err := os.Create(o.svg)
	if err != nil {
		return err
	}
	if err := stats.SVG(f, zone); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
