package analysis

import (
	"encoding/json"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// ruleLists are the lists of a policy whose entries are rules.
func ruleLists() [][]any {
	return [][]any{
		{"network", "outbound"},
		{"network", "denied"},
		{"filesystem", "writable"},
		{"filesystem", "readonly"},
		{"filesystem", "blocked"},
		{"execution", "allowed_commands"},
		{"execution", "blocked_commands"},
	}
}

// linesOf lists, by the position of each rule, the lines of the file that the
// rule stands on, with those of its keys and items.
func linesOf(doc *parse.Document) map[diag.Position][]int {
	out := map[diag.Position][]int{}
	data, err := json.Marshal(doc.Policy.Spec)
	if err != nil {
		return out
	}
	var spec map[string]map[string]any
	_ = json.Unmarshal(data, &spec) // what is no clause is left out
	for _, list := range ruleLists() {
		items, _ := spec[list[0].(string)][list[1].(string)].([]any)
		for i, item := range items {
			path := append(append([]any{"spec"}, list...), i)
			lines := walkLines(doc, nil, path, item)
			slices.Sort(lines)
			out[doc.Pos(path...)] = slices.Compact(lines)
		}
	}
	return out
}

func walkLines(doc *parse.Document, lines []int, path []any, v any) []int {
	lines = append(lines, doc.KeyPos(path...).Line, doc.Pos(path...).Line)
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			lines = walkLines(doc, lines, append(slices.Clone(path), key), value)
		}
	case []any:
		for i, value := range v {
			lines = walkLines(doc, lines, append(slices.Clone(path), i), value)
		}
	}
	return lines
}
