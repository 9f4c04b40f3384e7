package policyset

import (
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/policies"
)

// Library returns the ready-made policies as sources.
func Library() []compiler.Source {
	var sources []compiler.Source
	for _, name := range policies.Names() {
		if source, ok := ReadyMade(name); ok {
			sources = append(sources, source)
		}
	}
	return sources
}

// ReadyMade returns the ready-made policy of a name.
func ReadyMade(name string) (compiler.Source, bool) {
	text, ok := policies.Text(name)
	return compiler.Source{Name: "library/" + name + ".yaml", Data: text}, ok
}
