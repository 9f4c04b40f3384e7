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
			patterns := []glob.Pattern{r.Glob}
			if list.below {
				patterns[0] = andBelow(r.Glob)
			}
			head := fmt.Sprintf("%s contains %d", list.head, base+i)
			m.labelled(r.Origin, head, fileForm.paths(patterns))
		}
		base += len(list.rules)
	}
	return m
}

type fileList struct {
	head  string
	below bool // what is below a match matches too
	rules []plan.PathRule
}

// fileLists fixes the order of ordinals.
func fileLists(f *plan.File) []fileList {
	return []fileList{
		{"blocked", true, f.Blocked},
		{"blocked", true, f.Sensitive},
		{"home_blocked", true, f.SensitiveHome},
		{"writable", false, f.Writable},
		{"readonly", false, f.Readonly},
		{"baseline", false, f.Baseline},
	}
}

// andBelow makes a pattern match everything below what it matches.
func andBelow(p glob.Pattern) glob.Pattern {
	if p.Segments[len(p.Segments)-1].Deep {
		return p
	}
	segs := append(append([]glob.Segment(nil), p.Segments...), glob.Segment{Deep: true})
	return glob.Pattern{Source: p.Source, Segments: segs}
}
