// Package mutate makes, of one policy, those that differ from it in one rule:
// dropped, widened, narrowed or moved to another list, and those that differ in
// one setting. A test that is worth having notices each of them.
package mutate

import (
	"encoding/json"
	"fmt"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// Operator is what was done to a rule. Widen and narrow speak of what the rule
// matches: a deny rule that is widened denies more.
type Operator string

// The operators.
const (
	Drop   Operator = "drop"
	Widen  Operator = "widen"
	Narrow Operator = "narrow"
	Move   Operator = "move"
	Set    Operator = "set" // another value of a setting
)

// Operators lists them in the order of reports.
func Operators() []Operator { return []Operator{Drop, Widen, Narrow, Move, Set} }

// Mutant is a policy with one change.
type Mutant struct {
	// Document is the policy with the change. Its text and positions are those
	// of the original.
	Document *parse.Document
	Operator Operator
	// Rule is the id of the rule that was changed, as the policy's own decisions
	// give it, or the name of the setting.
	Rule string
	What string // the change in words: "methods: POST added"
	Pos  diag.Position
	// Kind is the surface whose decisions can change; a change to files can also
	// change those on commands. Empty for all of them.
	Kind schemas.Kind

	of  *parse.Document
	ids map[string]string // of the rules behind a dropped one: as they are, as they were
}

// Of returns the mutants of a policy, in the order of its text. Some may not
// compile; package check says so.
func Of(doc *parse.Document) []Mutant {
	g := &generator{doc: doc}
	g.settings()
	g.extends()
	g.network()
	g.filesystem()
	g.execution()
	return g.out
}

// Policy is the name of the policy.
func (m *Mutant) Policy() string { return m.of.Policy.Metadata.Name }

// Rename gives the rules of a plan of this mutant, or of a policy that extends
// it, the ids that they had before the change, so that a test which names a rule
// notices what that rule does and not only its number.
func (m *Mutant) Rename(p *plan.Policy) {
	prefix := ""
	if p.Name != m.Policy() {
		prefix = m.Policy() + "/"
	}
	rename := func(o *plan.Origin) {
		if len(o.ID) < len(prefix) || o.ID[:len(prefix)] != prefix {
			return
		}
		if was, ok := m.ids[o.ID[len(prefix):]]; ok {
			o.ID = prefix + was
		}
	}
	for _, rules := range [][]plan.NetworkRule{p.Network.Denied, p.Network.Outbound} {
		for i := range rules {
			rename(&rules[i].Origin)
		}
	}
	for _, rules := range [][]plan.PathRule{p.File.Blocked, p.File.Readonly, p.File.Writable} {
		for i := range rules {
			rename(&rules[i].Origin)
		}
	}
	for i := range p.Exec.Allowed {
		rename(&p.Exec.Allowed[i].Origin)
	}
	for i := range p.Exec.Blocked {
		rename(&p.Exec.Blocked[i].Origin)
	}
}

// generator collects the mutants of one document.
type generator struct {
	doc *parse.Document
	out []Mutant
}

// change is one mutant in the making.
type change struct {
	op   Operator
	rule string
	kind schemas.Kind
	at   []any // path of the rule
	ids  map[string]string
	do   func(*schemas.Spec)
}

// add makes a mutant of a change, unless nothing changes.
func (g *generator) add(c change, format string, args ...any) {
	policy, err := clone(g.doc.Policy)
	if err != nil {
		return // what was decoded from JSON can be encoded
	}
	c.do(&policy.Spec)
	if same(policy, g.doc.Policy) {
		return
	}
	doc := *g.doc
	doc.Policy = policy
	g.out = append(g.out, Mutant{
		Document: &doc, Operator: c.op, Rule: c.rule, What: fmt.Sprintf(format, args...), Kind: c.kind,
		Pos: g.doc.Pos(c.at...), of: g.doc, ids: c.ids,
	})
}

func clone(p *schemas.SandboxPolicy) (*schemas.SandboxPolicy, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	out := &schemas.SandboxPolicy{}
	return out, json.Unmarshal(data, out)
}

func same(a, b *schemas.SandboxPolicy) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// shifted maps the ids of a list's rules after the one at i was dropped: as they
// are now, as they were.
func shifted(list string, i, n int) map[string]string {
	ids := map[string]string{}
	for j := i; j < n-1; j++ {
		ids[fmt.Sprintf("%s[%d]", list, j)] = fmt.Sprintf("%s[%d]", list, j+1)
	}
	return ids
}

// Change returns the policy with a change made to its spec; its Text and Diff
// show the change in the policy's file.
func Change(doc *parse.Document, do func(*schemas.Spec)) (*Mutant, error) {
	policy, err := clone(doc.Policy)
	if err != nil {
		return nil, fmt.Errorf("copy policy %q: %w", doc.Policy.Metadata.Name, err)
	}
	do(&policy.Spec)
	changed := *doc
	changed.Policy = policy
	return &Mutant{Document: &changed, of: doc}, nil
}
