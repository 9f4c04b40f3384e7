// Package check turns documents into plans: names are resolved, bases merged,
// patterns parsed once, and everything that can never work or would allow more
// than it shows is a diagnostic.
package check

import (
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// Policies returns the plans of the policies among docs, in their order. Names
// in extends are looked for in docs, then in library. A policy with errors is
// left out.
func Policies(docs, library []*parse.Document) ([]*plan.Policy, []diag.Diagnostic) {
	return nil, nil
}
