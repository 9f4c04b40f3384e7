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

// start starts the command and says how it is confined.
func (o *createOptions) start(ctx context.Context, _ *adminapi.Client, _ adminapi.CreatedSandbox, spec sandboxctl.Spec) (sandboxctl.Process, string, error) {
	if o.runtime == runtimeNone {
		return o.startNone(ctx, spec)
	}
	return nil, "", cli.WithHint(errors.New("--runtime local needs Linux"), "--runtime none runs the command without confinement")
}
