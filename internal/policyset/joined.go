package policyset

import (
	"fmt"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/schemas"
)

// Joined writes the policy that stands for one with others bound beside it, in a
// file of the folder dir.
func Joined(dir, policy string, with []string) compiler.Source {
	name := schemas.JoinedName(policy, with)
	text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %q}\nspec: {extends: [%q", schemas.APIVersion, schemas.KindSandboxPolicy, name, policy)
	for _, w := range with {
		text += fmt.Sprintf(", %q", w)
	}
	return compiler.Source{Name: dir + "/" + name + ".yaml", Data: []byte(text + "]}\n")}
}
