// Package regogen lowers a plan to Rego that OPA's rule index can prune: exact
// names become ==, prefixes startswith, and a regex stands only behind a literal
// guard. The generated sets hold ordinals; the index, which is data, says which
// rule an ordinal is.
package regogen

import (
	"github.com/openshell-policy/openshell/compiler/plan"
)

// Module is one generated Rego module of a policy.
type Module struct {
	Surface string // network, file or exec
	Text    string
}

// Policy generates the modules of a plan.
func Policy(p *plan.Policy) []Module {
	network := network(p, 0)
	fileBase := len(p.Network.Denied) + len(p.Network.Outbound)
	file := file(p, fileBase)
	execBase := fileBase
	for _, l := range fileLists(&p.File) {
		execBase += len(l.rules)
	}
	exec := exec(p, execBase)
	return []Module{{"network", network.String()}, {"file", file.String()}, {"exec", exec.String()}}
}
