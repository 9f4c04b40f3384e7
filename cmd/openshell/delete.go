package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type deleteOptions struct {
	place  *place
	refs   []string
	grace  cli.Duration
	stdout io.Writer
}

func newDelete(p *place) *cobra.Command {
	o := &deleteOptions{place: p, grace: cli.Duration(10 * time.Second)}
	cmd := &cobra.Command{
		Use: "delete SANDBOX...", Aliases: []string{"rm", "stop"}, Short: "End sandboxes; their logs stay",
		Example: "  openshell sandbox delete sb-a1b2c3",
		Args:    cli.Args(1, -1, "the ids of sandboxes"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.refs, o.stdout = args, cmd.OutOrStdout()
			return remove(cmd.Context(), o)
		},
	}
	cmd.Flags().Var(&o.grace, "grace", "`DURATION` between asking the command to end and killing it")
	return cmd
}

// remove cuts the sandbox off first and then stops its command.
func remove(ctx context.Context, o *deleteOptions) error {
	c, noGateway := o.place.client(ctx)
	if noGateway != nil && (!errors.Is(noGateway, errNoGateway) || o.place.named()) {
		return noGateway
	}
	runs, err := o.place.runs()
	if err != nil {
		return err
	}
	var errs []error
	for _, ref := range o.refs {
		box, err := o.place.find(ctx, ref)
		if err == nil && noGateway == nil && box.Status == adminapi.StatusRunning {
			box, err = c.End(ctx, box.ID, adminapi.StatusStopped, nil)
		}
		if run, ok := runs.Get(box.ID); err == nil && ok {
			err = run.Stop(time.Duration(o.grace))
			runs.Remove(box.ID)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(o.stdout, "sandbox %s deleted\n", box.ID)
	}
	return errors.Join(errs...)
}
