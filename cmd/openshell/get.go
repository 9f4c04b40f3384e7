package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type getOptions struct {
	place  *place
	ref    string
	format *cli.Output
	stdout io.Writer
}

func newGet(p *place) *cobra.Command {
	o := &getOptions{place: p}
	cmd := &cobra.Command{
		Use: "get SANDBOX", Short: "Show one sandbox",
		Example: "  openshell sandbox get sb-a1b2c3\n  openshell sandbox get a1b -o yaml",
		Args:    cli.Args(1, 1, "the id of a sandbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref, o.stdout = args[0], cmd.OutOrStdout()
			return get(cmd.Context(), o)
		},
	}
	o.format = cli.AddOutput(cmd, "text", "json", "yaml", "name")
	return cmd
}

// details are a sandbox with what this machine knows of its command.
type details struct {
	adminapi.Sandbox
	Run    *sandboxctl.Run `json:"run,omitempty"`
	Local  any             `json:"local,omitempty"`  // what the supervisor of a local sandbox says
	Output string          `json:"output,omitempty"` // file that a detached command wrote to

	lines []string // Local for people
}

func get(ctx context.Context, o *getOptions) error {
	box, err := o.place.find(ctx, o.ref)
	if err != nil {
		return err
	}
	d := details{Sandbox: box}
	if runs, err := o.place.runs(); err == nil {
		if run, ok := runs.Get(box.ID); ok {
			d.Run = &run
		}
		if _, err := os.Stat(runs.OutputPath(box.ID)); err == nil {
			d.Output = runs.OutputPath(box.ID)
		}
	}
	d.Local, d.lines = localDetails(o.place, box.ID)
	switch o.format.String() {
	case "json":
		return cli.WriteJSON(o.stdout, d)
	case "yaml":
		return cli.WriteYAML(o.stdout, d)
	case "name":
		_, err := fmt.Fprintln(o.stdout, box.ID)
		return err
	}
	return writeDetails(o.stdout, d)
}

func writeDetails(w io.Writer, d details) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("id", "%s", d.ID)
	line("agent", "%s", d.Agent)
	line("policy", "%s", d.Policy)
	status := d.Status
	if d.ExitCode != nil {
		status += fmt.Sprintf(" (exit status %d)", *d.ExitCode)
	}
	line("status", "%s", status)
	line("created", "%s (%s ago)", d.Created.Local().Format(time.DateTime), cli.Age(time.Since(d.Created)))
	if d.Ended != nil {
		line("ended", "%s", d.Ended.Local().Format(time.DateTime))
	}
	if d.Run != nil {
		line("runtime", "%s", d.Run.Runtime)
		line("command", "%s", strings.Join(d.Run.Command, " "))
		line("folder", "%s", d.Run.Dir)
	}
	for _, l := range d.lines {
		fmt.Fprintln(&b, l)
	}
	if d.Output != "" {
		line("output", "%s", d.Output)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
