package regogen

import (
	"fmt"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

var fileForm = where{dialect{sep: '/'}, "input.subject.path", "input.subject.dir", "input.subject.segments"}

// file generates the sets blocked, writable, readonly and baseline of ordinals
// whose glob matches input.subject, one path of the operation. home_blocked is
// asked with the path below the sandbox's home.
func file(p *plan.Policy, base int) *module {
	m := newModule(p.Name, "file")
	m.define("blocked", "home_blocked", "writable", "readonly", "baseline")
	for _, list := range fileLists(&p.File) {
		for i, r := range list.rules {
			m.labelled(r.Origin, fmt.Sprintf("%s contains %d", list.head, base+i), fileForm.paths(r.globs))
		}
		base += len(list.rules)
	}
	return m
}

// fileList is one of the generated sets, or a part of one.
type fileList struct {
	head  string
	deny  bool
	rules []fileRule
}

// fileRule is what one ordinal stands for.
type fileRule struct {
	plan.Origin
	globs []glob.Pattern
}

// fileLists fixes the order of ordinals.
func fileLists(f *plan.File) []fileList {
	return []fileList{
		{"blocked", true, each(f.Blocked, andBelow)},
		{"blocked", true, together(f.Sensitive, andBelow)},
		{"home_blocked", true, together(f.SensitiveHome, andBelow)},
		{"writable", false, each(f.Writable, asIs)},
		{"readonly", false, each(f.Readonly, asIs)},
		{"baseline", false, together(f.Baseline, asIs)},
	}
}

func each(rules []plan.PathRule, lower func(glob.Pattern) glob.Pattern) []fileRule {
	out := make([]fileRule, len(rules))
	for i, r := range rules {
		out[i] = fileRule{r.Origin, []glob.Pattern{lower(r.Glob)}}
	}
	return out
}

// together makes a table one rule: its entries share an id and are no lines of
// the policy.
func together(rules []plan.PathRule, lower func(glob.Pattern) glob.Pattern) []fileRule {
	if len(rules) == 0 {
		return nil
	}
	out := fileRule{Origin: rules[0].Origin}
	for _, r := range rules {
		out.globs = append(out.globs, lower(r.Glob))
	}
	return []fileRule{out}
}

func asIs(p glob.Pattern) glob.Pattern { return p }

// andBelow makes a pattern match everything below what it matches.
func andBelow(p glob.Pattern) glob.Pattern {
	if p.Segments[len(p.Segments)-1].Deep {
		return p
	}
	segs := append(append([]glob.Segment(nil), p.Segments...), glob.Segment{Deep: true})
	return glob.Pattern{Source: p.Source, Segments: segs}
}
