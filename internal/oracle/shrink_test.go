package oracle_test

import (
	"encoding/json"
	"slices"

	"github.com/openshell-policy/openshell/schemas"
)

// smallest takes away parts of a policy for as long as the answers still differ.
func smallest(p *schemas.SandboxPolicy, in *schemas.DecisionInput, a *asks) (*schemas.SandboxPolicy, *asks) {
	for again := true; again; {
		again = false
		for _, less := range smaller(p) {
			w, err := newWorld([]*schemas.SandboxPolicy{less})
			if err != nil || len(w.refused) > 0 {
				continue
			}
			if b, err := w.ask(in, true); err == nil && !b.agree() {
				p, a, again = less, b, true
				break
			}
		}
	}
	return p, a
}

// smaller returns copies of a policy that lack one part each.
func smaller(p *schemas.SandboxPolicy) (out []*schemas.SandboxPolicy) {
	var tree any
	if err := json.Unmarshal([]byte(render(p.Spec)), &tree); err != nil {
		panic(err) // rendered a moment ago
	}
	for _, less := range prune(tree) {
		var spec schemas.Spec
		if json.Unmarshal([]byte(render(less)), &spec) != nil {
			continue
		}
		q := &schemas.SandboxPolicy{APIVersion: p.APIVersion, Kind: p.Kind, Metadata: p.Metadata}
		if json.Unmarshal([]byte(render(spec)), &q.Spec) == nil { // again, so that empty lists are absent ones
			out = append(out, q)
		}
	}
	return out
}

// prune returns trees that lack one branch each, the big ones first.
func prune(tree any) (out []any) {
	switch node := tree.(type) {
	case map[string]any:
		for key := range node {
			out = append(out, with(node, key, nil))
		}
		for key, child := range node {
			for _, less := range prune(child) {
				out = append(out, with(node, key, less))
			}
		}
	case []any:
		for i := range node {
			out = append(out, slices.Delete(slices.Clone(node), i, i+1))
		}
		for i, child := range node {
			for _, less := range prune(child) {
				list := slices.Clone(node)
				list[i] = less
				out = append(out, list)
			}
		}
	}
	return out
}

// with copies a node with another child, or none.
func with(node map[string]any, key string, child any) map[string]any {
	out := map[string]any{}
	for k, v := range node {
		out[k] = v
	}
	if out[key] = child; child == nil {
		delete(out, key)
	}
	return out
}
