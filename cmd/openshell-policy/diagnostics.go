package main

import (
	"io"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
)

// writeDiagnostics prints findings on stderr, as text or as JSON.
func writeDiagnostics(w io.Writer, ds []diag.Diagnostic, sources map[string][]byte, asJSON bool) error {
	switch {
	case len(ds) == 0:
		return nil
	case asJSON:
		return diag.WriteJSON(w, ds)
	}
	return diag.WriteText(w, ds, sources, cli.Color(w))
}

// refuse prints the findings of a compilation; if it failed, the error ends the
// command with the status.
func refuse(w io.Writer, result *compiler.Result, asJSON bool, status int) error {
	if err := writeDiagnostics(w, result.Diagnostics, result.Sources, asJSON); err != nil {
		return err
	}
	if result.Bundle == nil {
		return cli.Exit(status)
	}
	return nil
}
