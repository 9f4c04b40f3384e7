package check

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// Own returns the plan of a policy as if it extended nothing, with what is
// malformed left out: for lint, which has something to say of a policy that does
// not compile, too. The tables' paths are not in it. Its network rules are those of the document, one for one; a
// rule with a host that is none has an empty Host, and a glob that does not parse
// stands for itself, literally.
func Own(d *parse.Document) *plan.Policy {
	c := &checker{set: map[string]*entry{}, library: map[string]*entry{}, lenient: true}
	e := &entry{doc: d, resolved: c.resolve(d)}
	p := &plan.Policy{Name: e.name(), Pos: d.Pos("metadata", "name"), Mode: mode(c, e)}
	merge(p, e.resolved, "")
	c.settleRules(p, e, []*entry{e})
	return p
}

// literally is the glob that matches the text of another one, which does not parse.
func literally(src string) glob.Pattern {
	return glob.Pattern{Source: src, Segments: []glob.Segment{{Tokens: []glob.Token{{Op: glob.Literal, Lit: src}}}}}
}

// News drops from the findings of Policies those that only repeat, or only follow
// from, what package parse found wrong with the text: the same pattern, or a base
// in a file that could not be read.
func News(parsed, found []diag.Diagnostic) []diag.Diagnostic {
	return slices.DeleteFunc(slices.Clone(found), func(d diag.Diagnostic) bool { return said(parsed, d) })
}

func said(parsed []diag.Diagnostic, d diag.Diagnostic) bool {
	if d.Code == "OSP2006" {
		return diag.HasErrors(parsed)
	}
	return slices.ContainsFunc(parsed, func(p diag.Diagnostic) bool {
		return p.Code == d.Code && p.Pos.File == d.Pos.File && p.Pos.Line == d.Pos.Line &&
			p.Pos.Col <= d.Pos.Col && d.Pos.Col <= p.Pos.Col+p.Width
	})
}
