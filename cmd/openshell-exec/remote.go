package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/remote"
)

// connect fetches the first bundle of the gateway, if one is to be asked, and
// takes from it who the sandbox is.
func (o *options) connect(ctx context.Context, src *source) (*remote.Client, error) {
	if o.gateway == "" {
		return nil, nil
	}
	client, err := remote.New(remote.Options{URL: o.gateway, TokenFile: o.token, CAFile: o.ca})
	if err != nil {
		return nil, err
	}
	src.latest, err = client.First(ctx, o.patience, func(err error) { say("gateway", err) })
	if err != nil {
		return nil, cli.WithHint(err, "nothing was run: check --gateway, --token-file and that the gateway's pods are ready")
	}
	o.id, o.agent = src.latest.ID, src.latest.Agent
	return client, nil
}

// follow takes further bundles of the gateway while the command runs.
func follow(ctx context.Context, client *remote.Client, src *source, changes chan<- func()) {
	take := func(b *remote.Bundle) {
		select {
		case changes <- func() { src.latest = b }:
		case <-ctx.Done():
		}
	}
	client.Follow(ctx, src.latest, take, func(err error) { say("gateway", err) })
}

// say tells of the beginning of a trouble, and of its end with nil.
func say(what string, err error) {
	if err == nil {
		fmt.Fprintf(os.Stderr, "%s: all is well again\n", what)
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v; trying again\n", what, err)
}

// environ is the environment of the command.
func (o *options) environ(gateway *remote.Client) ([]string, error) {
	env, dropped := shim.Scrub(os.Environ())
	if len(dropped) > 0 {
		fmt.Fprintf(os.Stderr, "note: %s not passed on: set inside, it changes what programs run\n", strings.Join(dropped, ", "))
	}
	if gateway == nil {
		return env, nil
	}
	return gateway.Environ(env, o.id)
}
