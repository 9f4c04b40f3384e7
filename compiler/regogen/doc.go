// Package regogen lowers a plan to Rego that OPA's rule index can prune: exact
// names become ==, prefixes startswith, and a regex stands only behind a literal
// guard. The generated sets hold ordinals; the index, which is data, says which
// rule an ordinal is.
package regogen

import (
	"encoding/json"

	"github.com/openshell-policy/openshell/compiler/plan"
)

// Module is one generated Rego module of a policy.
type Module struct {
	Surface string // network, file or exec
	Text    string
}

// Policy generates the modules of a plan. Ordinals count files and commands
// first: these lists are short and seldom change, so a change of the requests
// leaves their modules as they are, and who compiled them need not do it again.
func Policy(p *plan.Policy) []Module {
	file := file(p, 0)
	execBase := 0
	for _, l := range fileLists(&p.File) {
		execBase += len(l.rules)
	}
	exec := exec(p, execBase)
	network := network(p, execBase+len(p.Exec.Blocked)+len(p.Exec.Allowed))
	return []Module{{"network", network.String()}, {"file", file.String()}, {"exec", exec.String()}}
}

// Generated is what a plan is lowered to. It is shared: nobody changes it.
type Generated struct {
	Modules []Module
	Encoded []byte // the index as JSON
}

// Generate lowers a plan to its modules and its index.
func Generate(p *plan.Policy) *Generated {
	encoded, err := json.Marshal(NewIndex(p))
	if err != nil {
		panic(err) // strings, numbers and booleans always encode
	}
	return &Generated{Modules: Policy(p), Encoded: encoded}
}
