package policyset

import (
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/policies"
)

// Library returns the ready-made policies as sources.
func Library() []compiler.Source {
	var sources []compiler.Source
	for _, name := range policies.Names() {
		text, _ := policies.Text(name)
		sources = append(sources, compiler.Source{Name: "library/" + name + ".yaml", Data: text})
	}
	return sources
}
