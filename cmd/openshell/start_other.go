//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

const runtimeDefault = runtimeLocal

// start says how the command is confined, and starts it.
func (o *createOptions) start(ctx context.Context, _ *adminapi.Client, box adminapi.CreatedSandbox, spec sandboxctl.Spec) (sandboxctl.Process, error) {
	if o.runtime == runtimeNone {
		return o.startNone(ctx, box, spec)
	}
	return nil, cli.WithHint(errors.New("--runtime local needs Linux"), "--runtime none runs the command without confinement")
}
