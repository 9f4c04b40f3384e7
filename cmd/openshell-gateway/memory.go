package main

import (
	"runtime/debug"

	"github.com/openshell-policy/openshell/gateway"
)

// gcPercent lets the heap grow to five times what is live before it is collected.
// A gateway holds little and makes garbage with every request: at the default of
// 100 it collects many times a second.
const gcPercent = 400

// collectLess sets gcPercent unless the operator chose by GOGC or GOMEMLIMIT.
func collectLess(lookup gateway.LookupEnv) {
	for _, chosen := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, ok := lookup(chosen); ok {
			return
		}
	}
	debug.SetGCPercent(gcPercent)
}
