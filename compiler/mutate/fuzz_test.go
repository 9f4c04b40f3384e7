package mutate_test

import (
	"testing"

	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/policies"
)

// Whatever a file looks like, each mutant's text is a file that differs, and Text
// says so only after reading it again; nothing panics.
func FuzzMutants(f *testing.F) {
	for _, name := range []string{"full-dev", "github-push", "github-clone", "deny-all", "apt"} {
		text, ok := policies.Text(name)
		if !ok {
			f.Fatalf("no policy %s", name)
		}
		f.Add(text)
	}
	f.Add([]byte(policy("spec: {network: {outbound: [{host: a.example.com, query: {'q\"': [x]}}], denied: []}, filesystem: {blocked: [/a\n,/b]}}\n")))
	f.Add([]byte(policy("spec:\n  network:\n    outbound:\n    - \n      host: a.example.com\n      # x\n    -   host: b.example.com\n")))
	f.Add([]byte(policy("spec:\n  execution: {allowed_commands: [git *, 'a''b', \"c\\\"d\"], blocked_commands: []}\n") + "---\n" + policy("spec: {extends: [x]}\n")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		docs, _ := parse.File("p.yaml", data)
		for _, d := range docs {
			if d.Policy == nil {
				continue
			}
			mutants := mutate.Of(d)
			for i := range mutants[:min(len(mutants), 40)] {
				m := &mutants[i]
				text, ok := m.Text()
				if ok && string(text) == string(data) {
					t.Errorf("%s %s %s: the text is the same", m.Operator, m.Rule, m.What)
				}
				if m.Diff() == "" {
					t.Errorf("%s %s %s: no diff", m.Operator, m.Rule, m.What)
				}
			}
		}
	})
}
