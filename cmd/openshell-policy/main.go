// Openshell-policy lints, tests, compiles and explains sandbox policies.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/openshell-policy/openshell/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, newRoot())
}
