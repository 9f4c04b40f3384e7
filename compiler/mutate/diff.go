package mutate

import (
	"bytes"
	"encoding/json"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/openshell-policy/openshell/compiler/parse"
)

// Text returns the file of the policy with the change made in it, everything
// else kept byte for byte. It is not ok where the layout of the file does not
// let the change be made so.
func (m *Mutant) Text() (text []byte, ok bool) {
	before, errB := tree(m.of)
	after, errA := tree(m.Document)
	if errB != nil || errA != nil {
		return nil, false
	}
	w := &writer{doc: m.of}
	if !w.diff(nil, before, after) {
		return nil, false
	}
	text = w.apply(m.of.Data())
	return text, m.isIn(text)
}

// isIn tells whether a file holds exactly this mutant.
func (m *Mutant) isIn(text []byte) bool {
	docs, _ := parse.File(m.of.File, text)
	for _, d := range docs {
		if d.Policy != nil && d.Policy.Metadata.Name == m.Policy() {
			return same(d.Policy, m.Document.Policy)
		}
	}
	return false
}

// Diff returns the change as a unified diff of the policy's file. Where the file's
// layout does not let the change be made in place, the diff is one of the two
// policies written out anew, and its header says so.
func (m *Mutant) Diff() string {
	if text, ok := m.Text(); ok {
		return string(diff.Diff("a/"+m.of.File, m.of.Data(), "b/"+m.of.File, text))
	}
	before, after := render(m.of), render(m.Document)
	return string(diff.Diff(m.of.File+" (written out anew)", before, m.of.File+" (mutant)", after))
}

// tree is a policy as values of JSON.
func tree(d *parse.Document) (map[string]any, error) {
	data, err := json.Marshal(d.Policy)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(data, &out)
}

// render writes a policy as JSON, which is YAML.
func render(d *parse.Document) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d.Policy); err != nil {
		return nil
	}
	return b.Bytes()
}
