package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/openshell-policy/openshell/cmd/internal/wiring"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
)

// checkBundle gets the bundle as the gateway would at a start, and says whether it
// could be put in force. Nothing is remembered of it.
func checkBundle(ctx context.Context, cfg gateway.Config, o *serveOptions) error {
	source, err := wiring.OpenBundles(cfg, nil)
	if err != nil {
		return err
	}
	data, _, err := source.Compile(ctx)
	if err != nil {
		return explainedBundle(err)
	}
	a, err := archive.Read(data)
	if err != nil {
		return explainedBundle(err)
	}
	g, err := rego.New(rego.Options{}).LoadArchive(a)
	if err != nil {
		return explainedBundle(err)
	}
	m := a.Manifest.Metadata
	if cfg.Bundle.InsecureUnsigned {
		fmt.Fprintln(o.stderr, "warning: bundle.insecure_unsigned is set: whoever can write to the source writes the policies")
	}
	_, err = fmt.Fprintf(o.stdout, "proxy    %s\nadmin    %s\nstate    %s\nlog      %s\nbundle   %s: name %q, serial %d, revision %.12s, %s\n",
		cfg.Listen.Proxy, cfg.Listen.Admin, cfg.StateDir, cfg.AuditPath(), source.State().Source, m.Name, m.Serial, a.Manifest.Revision, counted(len(g.Policies())))
	return err
}

func explainedBundle(err error) error {
	var refused *archive.Error
	if !errors.As(err, &refused) {
		return err
	}
	if refused.Hint != "" {
		return cli.WithHint(err, "%s", refused.Hint)
	}
	return cli.WithHint(err, "openshell-policy explain %s says more", refused.Code)
}

func counted(policies int) string {
	if policies == 1 {
		return "1 policy"
	}
	return fmt.Sprintf("%d policies", policies)
}
