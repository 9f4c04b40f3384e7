package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type listOptions struct {
	place  *place
	all    bool
	format *cli.Output
	stdout io.Writer
}

func newList(p *place) *cobra.Command {
	o := &listOptions{place: p}
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List sandboxes",
		Example: "  openshell sandbox list\n  openshell sandbox list --all -o json",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdout = cmd.OutOrStdout()
			return list(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "also those that ended")
	o.format = cli.AddOutput(cmd, "table", "json", "yaml", "name")
	return cmd
}

func list(ctx context.Context, o *listOptions) error {
	boxes, err := o.place.sandboxes(ctx, o.all)
	if err != nil {
		return err
	}
	switch o.format.String() {
	case "json":
		return cli.WriteJSON(o.stdout, adminapi.SandboxList{Sandboxes: notNil(boxes)})
	case "yaml":
		return cli.WriteYAML(o.stdout, adminapi.SandboxList{Sandboxes: notNil(boxes)})
	case "name":
		for _, b := range boxes {
			fmt.Fprintln(o.stdout, b.ID)
		}
		return nil
	}
	var rows [][]string
	for _, b := range boxes {
		rows = append(rows, []string{b.ID, cmp.Or(b.Agent, "-"), b.Policy, b.Status, cli.Age(time.Since(b.Created))})
	}
	return cli.Table(o.stdout, []string{"ID", "AGENT", "POLICY", "STATUS", "AGE"}, rows)
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
