package policyset

import (
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
)

// Compile compiles sources, with the ready-made policies for names that they
// extend.
func Compile(sources []compiler.Source, opts compiler.Options) *compiler.Result {
	opts.Library = Library()
	opts.Rego = rego.Library()
	return compiler.Compile(sources, opts)
}
