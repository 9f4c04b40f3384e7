// Openshell-policy compiles, tests and explains sandbox policies.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, newRoot())
}

func newRoot() *cobra.Command {
	root := cli.Group("openshell-policy", "Compile, test and explain sandbox policies",
		newCompile(), newInspect(), newBundle(), newKeygen(), newEval(), newLint(), newTest(), newSchema(), newExplain(), cli.VersionCommand())
	root.Long = `Compile, test and explain sandbox policies.

A policy says which requests an agent may send, which files it may touch and which
commands it may run. Exit status: 0 clean, 1 findings (a policy does not compile, a
test failed, a decision was a denial), 2 could not run.`
	root.Example = `  openshell-policy compile policies/ -o bundle.tar.gz
  openshell-policy eval --policy github-readonly --request 'GET https://api.github.com/repos/org/app'
  openshell-policy test policies/`
	return root
}
