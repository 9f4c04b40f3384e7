package check

import (
	"fmt"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

func (c *checker) file(d *parse.Document) plan.File {
	f := d.Policy.Spec.Filesystem
	if f == nil {
		return plan.File{}
	}
	return plan.File{
		Blocked:  c.pathRules(d, "blocked", f.Blocked),
		Readonly: c.pathRules(d, "readonly", f.Readonly),
		Writable: c.pathRules(d, "writable", f.Writable),
	}
}

func (c *checker) pathRules(d *parse.Document, list string, sources []string) []plan.PathRule {
	var out []plan.PathRule
	for i, src := range sources {
		at := []any{"spec", "filesystem", list, i}
		g, err := glob.FilePath(src)
		if err != nil {
			c.globError(d, "OSP2002", src, err, at)
			continue
		}
		id := fmt.Sprintf("filesystem.%s[%d]", list, i)
		out = append(out, plan.PathRule{Origin: plan.Origin{ID: id, Pos: d.Pos(at...), Text: src}, Glob: g})
	}
	return out
}
