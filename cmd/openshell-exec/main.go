// Openshell-exec starts one command under a policy and supervises everything it
// starts.
package main

import (
	"context"
	"os"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
)

func main() {
	bare.Main()
	o := &options{}
	status := cli.Run(context.Background(), newRoot(o))
	if status == cli.ExitOK {
		status = o.status
	}
	os.Exit(status)
}
