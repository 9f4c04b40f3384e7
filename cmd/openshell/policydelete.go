package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func newPolicyDelete(p *place) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Remove a policy that was applied with -f",
		Long: `Remove a policy that was applied with -f.

One that a running sandbox is bound to stays, as do those that the gateway reads from
its own files and the ready-made ones.`,
		Example: `  openshell policy delete team-a`,
		Args:    cli.Args(1, 1, "the name of a policy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deletePolicy(cmd.Context(), p, args[0], cmd.OutOrStdout())
		},
	}
}

func deletePolicy(ctx context.Context, p *place, name string, out io.Writer) error {
	c, err := p.client(ctx)
	if err != nil {
		return noGatewayHint(err)
	}
	if _, err := c.DeletePolicy(ctx, name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "policy %s deleted\n", name)
	return err
}
