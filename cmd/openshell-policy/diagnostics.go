package main

import (
	"io"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
)

// output is where a command prints, and how.
type output struct {
	stdout, stderr io.Writer
	json           bool
}

// diagnose prints findings: as text on stderr, or as JSON on stdout, because
// they are what a program asked for.
func (o output) diagnose(ds []diag.Diagnostic, sources map[string][]byte) error {
	switch {
	case o.json:
		return diag.WriteJSON(o.stdout, ds)
	case len(ds) == 0:
		return nil
	}
	return diag.WriteText(o.stderr, ds, sources, cli.Color(o.stderr))
}

// refuse ends a command with the status if the policies did not compile, and
// prints why.
func (o output) refuse(result *compiler.Result, status int) error {
	if result.Bundle != nil {
		return nil
	}
	if err := o.diagnose(result.Diagnostics, result.Sources); err != nil {
		return err
	}
	return cli.Exit(status)
}
