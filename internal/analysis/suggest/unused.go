package suggest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/schemas"
)

// Unused is a rule that decided nothing of what logs hold.
type Unused struct {
	Rule  string `json:"rule"`
	About string `json:"about"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	// Kept says why the patch leaves the rule; "" if it removes it.
	Kept string `json:"kept,omitempty"`
}

// Unused lists the rules of a policy that decided nothing, as the policy decides
// now what logs hold.
func (s *Suggestion) Unused(doc *parse.Document, p *plan.Policy) []Unused {
	out := []Unused{}
	for _, r := range analysis.Rules(p) {
		if s.Used[r.ID] > 0 {
			continue
		}
		u := Unused{Rule: r.ID, About: r.About, File: r.Pos.File, Line: r.Pos.Line}
		switch {
		case r.Deny:
			u.Kept = "it denies, and without it more would pass"
		case doc == nil || r.Pos.File != doc.File:
			u.Kept = "another policy brings it"
		case !removable(&doc.Policy.Spec, r.ID):
			u.Kept = "it cannot be removed by itself"
		}
		out = append(out, u)
	}
	return out
}

// lists are the lists of rules that allow, by the names in their rules' ids.
func lists(spec *schemas.Spec) map[string]*[]string {
	out := map[string]*[]string{}
	if f := spec.Filesystem; f != nil {
		out["filesystem.writable"], out["filesystem.readonly"] = &f.Writable, &f.Readonly
	}
	if x := spec.Execution; x != nil && x.AllowedCommands != nil {
		out["execution.allowed_commands"] = x.AllowedCommands
	}
	return out
}

func removable(spec *schemas.Spec, id string) bool {
	if outboundIndex(spec, id) >= 0 {
		return true
	}
	for name, list := range lists(spec) {
		if i, ok := index(name, id); ok && i < len(*list) {
			return true
		}
	}
	return false
}

// index reads NAME[i].
func index(name, id string) (int, bool) {
	var i int
	rest, ok := strings.CutPrefix(id, name+"[")
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscanf(rest, "%d]", &i)
	return i, err == nil && i >= 0
}

func outboundIndex(spec *schemas.Spec, id string) int {
	if spec.Network == nil {
		return -1
	}
	for i := range spec.Network.Outbound {
		name := spec.Network.Outbound[i].Name
		if name == id || name == "" && fmt.Sprintf("outbound[%d]", i) == id {
			return i
		}
	}
	return -1
}

// Remove returns the policy without the rules that are not kept; nil if there is
// none.
func Remove(doc *parse.Document, unused []Unused) (*mutate.Mutant, error) {
	gone := map[string]bool{}
	for _, u := range unused {
		gone[u.Rule] = u.Kept == ""
	}
	if !slices.ContainsFunc(unused, func(u Unused) bool { return u.Kept == "" }) {
		return nil, nil
	}
	return mutate.Change(doc, func(spec *schemas.Spec) {
		if spec.Network != nil {
			i := -1
			spec.Network.Outbound = slices.DeleteFunc(spec.Network.Outbound, func(r schemas.NetworkRule) bool {
				i++
				id := r.Name
				if id == "" {
					id = fmt.Sprintf("outbound[%d]", i)
				}
				return gone[id]
			})
		}
		for name, list := range lists(spec) {
			i := -1
			*list = slices.DeleteFunc(*list, func(string) bool { i++; return gone[fmt.Sprintf("%s[%d]", name, i)] })
		}
	})
}
