package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl/local"
)

// overlayCommands look at what a sandbox changed aside, and end it.
func overlayCommands(p *place) []*cobra.Command {
	return []*cobra.Command{
		overlayCommand(p, "diff", "Show what a sandbox with --overlay changed in the workspace", showChanges),
		overlayCommand(p, "apply", "Take over what a sandbox with --overlay changed in the workspace", applyChanges),
		overlayCommand(p, "discard", "Throw away what a sandbox with --overlay changed in the workspace", discardChanges),
	}
}

func overlayCommand(p *place, name, short string, run func(*local.Overlay, io.Writer) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " SANDBOX", Short: short,
		Example: "  openshell sandbox " + name + " sb-a1b2c3",
		Args:    cli.Args(1, 1, "the id of a sandbox"),
		RunE: func(cmd *cobra.Command, args []string) error {
			overlay, err := findOverlay(cmd.Context(), p, args[0], name != "diff")
			if err != nil {
				return err
			}
			return run(overlay, cmd.OutOrStdout())
		},
	}
}

// findOverlay finds a sandbox's overlay. One that still runs may be looked at,
// but not ended.
func findOverlay(ctx context.Context, p *place, ref string, ends bool) (*local.Overlay, error) {
	box, err := p.find(ctx, ref)
	if err != nil {
		return nil, err
	}
	dir, err := p.localDir(box.ID)
	if err != nil {
		return nil, err
	}
	if _, err := local.Connect(dir).Status(); err == nil && ends {
		return nil, cli.WithHint(fmt.Errorf("sandbox %s still runs", box.ID), "openshell sandbox delete %s ends it and keeps its changes", box.ID)
	}
	overlay, err := local.OpenOverlay(dir)
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("sandbox %s: %w", box.ID, err), "only sandboxes that were created with --overlay have changes aside")
	}
	return overlay, nil
}

func showChanges(o *local.Overlay, w io.Writer) error {
	changes, err := o.Changes()
	if err != nil {
		return err
	}
	for _, c := range changes {
		if _, err := fmt.Fprintf(w, "%s %s\n", c.Kind, audit.Printable(c.Path)); err != nil {
			return err
		}
	}
	return nil
}

func applyChanges(o *local.Overlay, w io.Writer) error {
	changes, err := o.Apply()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d changes applied to %s\n", len(changes), o.Workspace)
	return err
}

func discardChanges(o *local.Overlay, w io.Writer) error {
	if err := o.Discard(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "changes discarded; %s is as it was\n", o.Workspace)
	return err
}
