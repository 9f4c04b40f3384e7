package main

import "github.com/openshell-policy/openshell/compiler/plan"

// exactly tells whether two policies decide every input alike.
func exactly(_, _ *plan.Policy) (same, known bool) { return false, false }
