package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/bare"
)

// level is what this machine can enforce, found by trying. Less than the policy
// needs is refused.
func (o *options) level(ctx context.Context) (shim.Level, error) {
	found := bare.Probe(ctx)
	if found.Level == shim.Pod {
		return found.Level, nil
	}
	lacks := strings.Join(found.Lacks, "; ")
	if !o.degraded {
		return found.Level, cli.WithHint(
			fault.New(fault.CodeDegraded, "this machine cannot enforce the policy (level %s): %s", found.Level, lacks),
			"--allow-degraded runs the command with what is left: level floor keeps files by Landlock only, level none keeps nothing",
		)
	}
	fmt.Fprintf(os.Stderr, "warning: level %s, the policy is not enforced whole: %s\n", found.Level, lacks)
	return found.Level, nil
}
