package analysis

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// RuleCoverage tells how often cases were decided by one rule that an author
// wrote. Tables (the baseline, well-known secrets) and defaults are no rules of
// a policy and are left out.
type RuleCoverage struct {
	Policy string        `json:"policy"`
	Rule   string        `json:"rule"`
	Text   string        `json:"text"` // its host, glob or pattern
	Pos    diag.Position `json:"position"`
	Lines  []int         `json:"lines"` // of the file that the rule stands on
	Hits   int           `json:"hits"`
	// NearMisses counts the requests that were denied with the rule as the
	// nearest one.
	NearMisses int    `json:"near_misses,omitempty"`
	Reason     string `json:"reason,omitempty"` // why it was not hit
}

// PolicyCoverage sums up one policy.
type PolicyCoverage struct {
	Policy  string  `json:"policy"`
	File    string  `json:"file"`
	Rules   int     `json:"rules"`
	Covered int     `json:"covered"`
	Percent float64 `json:"percent"`
}

// Coverage tells which rules the cases of a run were decided by.
type Coverage struct {
	Rules    int              `json:"rules"`
	Covered  int              `json:"covered"`
	Percent  float64          `json:"percent"`
	Policies []PolicyCoverage `json:"policies"`
	Details  []RuleCoverage   `json:"details"`
}

// Cover tells which rules of the policies in the files that suites name decided
// a case of any suite, and why the others did not.
func (r *Runner) Cover(ctx context.Context, suites []*Suite) (*Coverage, error) {
	c := &coverer{rules: map[string]*written{}}
	for _, s := range suites {
		for _, w := range s.worlds {
			c.enter(r.arena(w))
		}
	}
	for _, a := range c.arenas {
		c.count(a)
	}
	all := slices.Collect(maps.Values(c.rules))
	slices.SortFunc(all, func(a, b *written) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
	if err := c.explain(ctx, all); err != nil {
		return nil, err
	}
	return summarise(all), nil
}

// written is a rule where it is written, and where it takes part in decisions.
type written struct {
	RuleCoverage
	doc  *parse.Document
	in   []use
	kind schemas.Kind
	deny bool

	depth int // how near the reason comes
}

// use is a policy with a rule, under the id that the rule has there.
type use struct {
	*arena
	policy, id string
}

type coverer struct {
	arenas []*arena
	rules  map[string]*written // by file, policy and id
}

// enter notes the rules of the files that a test names.
func (c *coverer) enter(a *arena) {
	c.arenas = append(c.arenas, a)
	own := map[string]bool{}
	for _, s := range a.own {
		own[s.Name] = true
	}
	for name, doc := range a.docs {
		if own[doc.File] {
			c.document(a, name, doc)
		}
	}
	for _, policy := range a.asked() {
		for _, name := range lineage(a.docs, policy) {
			doc := a.docs[name]
			if doc == nil {
				continue
			}
			prefix := ""
			if name != policy {
				prefix = name + "/"
			}
			for _, w := range c.rules {
				if w.doc.File == doc.File && w.Policy == name {
					w.in = append(w.in, use{a, policy, prefix + w.Rule})
				}
			}
		}
	}
}

func (c *coverer) document(a *arena, name string, doc *parse.Document) {
	p := a.plans[name]
	if p == nil {
		return
	}
	lines := linesOf(doc)
	add := func(o *plan.Origin, kind schemas.Kind, deny bool) {
		if o.Pos.File != doc.File || strings.Contains(o.ID, "/") || ofTable(o.ID) {
			return
		}
		key := strings.Join([]string{doc.File, name, o.ID}, "\x00")
		if c.rules[key] == nil {
			c.rules[key] = &written{doc: doc, kind: kind, deny: deny, RuleCoverage: RuleCoverage{
				Policy: name, Rule: o.ID, Text: o.Text, Pos: o.Pos, Lines: lines[o.Pos],
			}}
		}
	}
	eachRule(p, add)
}

func ofTable(id string) bool {
	return id == schemas.RuleBaseline || id == schemas.RuleSensitive || id == schemas.RuleDefault
}

// eachRule visits the rules of a plan; a group of commands has several.
func eachRule(p *plan.Policy, visit func(o *plan.Origin, kind schemas.Kind, deny bool)) {
	for i := range p.Network.Outbound {
		visit(&p.Network.Outbound[i].Origin, schemas.KindNetwork, false)
	}
	for i := range p.Network.Denied {
		visit(&p.Network.Denied[i].Origin, schemas.KindNetwork, true)
	}
	for _, list := range [][]plan.PathRule{p.File.Writable, p.File.Readonly} {
		for i := range list {
			visit(&list[i].Origin, schemas.KindFile, false)
		}
	}
	for i := range p.File.Blocked {
		visit(&p.File.Blocked[i].Origin, schemas.KindFile, true)
	}
	for i := range p.Exec.Allowed {
		visit(&p.Exec.Allowed[i].Origin, schemas.KindExec, false)
	}
	for i := range p.Exec.Blocked {
		visit(&p.Exec.Blocked[i].Origin, schemas.KindExec, true)
	}
}

// count adds what decided the cases of one world.
func (c *coverer) count(a *arena) {
	for _, w := range c.rules {
		for _, u := range w.in {
			if u.arena != a {
				continue
			}
			for _, one := range a.cases {
				if one.Got == nil || one.asks != u.policy || one.decidedBy() != u.id {
					continue
				}
				if w.kind == schemas.KindNetwork && !w.deny && !one.Got.Allow {
					w.NearMisses++
				} else {
					w.Hits++
				}
			}
		}
	}
}

// decidedBy is the id of the deciding rule in the policy that was asked.
func (t *testCase) decidedBy() string {
	if t.with && !strings.Contains(t.Got.Rule, "/") && !ofTable(t.Got.Rule) {
		return t.Policy + "/" + t.Got.Rule
	}
	return t.Got.Rule
}

func summarise(all []*written) *Coverage {
	out := &Coverage{Policies: []PolicyCoverage{}, Details: []RuleCoverage{}}
	for _, w := range all {
		n := len(out.Policies)
		if n == 0 || out.Policies[n-1].Policy != w.Policy || out.Policies[n-1].File != w.Pos.File {
			out.Policies = append(out.Policies, PolicyCoverage{Policy: w.Policy, File: w.Pos.File})
			n++
		}
		p := &out.Policies[n-1]
		p.Rules++
		out.Rules++
		if w.Hits > 0 {
			p.Covered++
			out.Covered++
		}
		out.Details = append(out.Details, w.RuleCoverage)
	}
	for i := range out.Policies {
		out.Policies[i].Percent = percent(out.Policies[i].Covered, out.Policies[i].Rules)
	}
	out.Percent = percent(out.Covered, out.Rules)
	return out
}

func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return 100 * float64(part) / float64(whole)
}
