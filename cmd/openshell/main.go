// Openshell runs agents in sandboxes under a policy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func main() {
	if status, is := insideSandbox(); is {
		os.Exit(status)
	}
	os.Exit(run())
}

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, newRoot())
}

func newRoot() *cobra.Command {
	p := &place{}
	root := cli.Group("openshell", "Run agents in sandboxes under a policy",
		newSandbox(p), newPolicy(p), newGateway(p), cli.VersionCommand())
	root.Long = `Run agents in sandboxes under a policy.

Every request of a sandbox goes through a gateway, which asks the policy and writes
down what it decided. A gateway that runs is used; otherwise one is started beside
the sandbox and ends a while after the last one.`
	root.Example = `  openshell sandbox create --policy github-readonly -- claude
  openshell sandbox list
  openshell sandbox logs sb-a1b2c3
  openshell policy apply --sandbox sb-a1b2c3 --policy full-dev`
	p.flags(root)
	return root
}

func newSandbox(p *place) *cobra.Command {
	return cli.Group("sandbox", "Create, list and follow sandboxes",
		append([]*cobra.Command{newCreate(p), newList(p), newGet(p), newLogs(p), newDelete(p)}, localCommands(p)...)...)
}
