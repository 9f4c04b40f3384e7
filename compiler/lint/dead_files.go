package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/tables"
)

var fileLists = []string{"writable", "readonly", "blocked"}

func (p *policy) planned(list string) []plan.PathRule {
	switch list {
	case "writable":
		return p.plan.File.Writable
	case "readonly":
		return p.plan.File.Readonly
	}
	return p.plan.File.Blocked
}

// redundantFiles finds entries that others of the same list cover.
func redundantFiles(p *policy, r *reporter) {
	for _, list := range fileLists {
		all := p.planned(list)
		if len(all) > maxCompared {
			continue
		}
		gone := map[string]bool{}
		for _, f := range slices.Backward(p.files(list)) {
			var others []glob.Pattern
			for j := range all {
				other := &all[j]
				if other.Pos == f.plan.Pos || gone[other.ID] {
					continue
				}
				if !fileCovered(list, f.plan.Glob, other.Glob) {
					others = append(others, other.Glob)
					continue
				}
				gone[f.plan.ID] = true
				d := r.at(f.at(), "remove it", "%q adds nothing: %q (%s) takes the same and more", f.plan.Text, other.Text, other.ID)
				if other.Pos.File != "" {
					related(d, other.Pos, other.ID+" stands here")
				}
				r.remove(d, true, f.at()...)
				break
			}
			if !gone[f.plan.ID] && pathUnion(f.plan.Glob, others) {
				gone[f.plan.ID] = true
				d := r.at(f.at(), "remove it", "%q adds nothing: the other entries of %s together take the same", f.plan.Text, list)
				r.remove(d, true, f.at()...)
			}
		}
	}
}

// fileCovered compares entries: what is blocked is blocked with all below it.
func fileCovered(list string, g, by glob.Pattern) bool {
	if pathCovered(g, by) {
		return true
	}
	return list == "blocked" && pathCovered(g, below(by))
}

// below is the pattern of everything below, and of the thing itself.
func below(g glob.Pattern) glob.Pattern {
	if n := len(g.Segments); n > 0 && g.Segments[n-1].Deep {
		return g
	}
	return glob.Pattern{Source: g.Source + "/**", Segments: append(slices.Clone(g.Segments), glob.Segment{Deep: true})}
}

// deadFiles finds entries that a stronger list takes back whole.
func deadFiles(p *policy, r *reporter) {
	say := func(list string, f fileRule, by *plan.PathRule, stronger string) {
		d := r.at(f.at(), "remove it, or narrow "+by.Text, "%q has no effect in %s: %q is %s", f.plan.Text, list, by.Text, stronger)
		related(d, by.Pos, by.ID+" stands here")
		r.remove(d, true, f.at()...)
	}
	for _, list := range []string{"writable", "readonly"} {
		for _, f := range p.files(list) {
			if by := coveringRule(f.plan.Glob, p.plan.File.Blocked, true); by != nil {
				say(list, f, by, "blocked")
				continue
			}
			if by := coveringRule(f.plan.Glob, p.plan.File.Sensitive, true); by != nil {
				r.at(f.at(), "leave it out: a secret is better handed in by name", "%q has no effect in %s: %s is a well-known secret, which sensitive: %s blocks", f.plan.Text, list, by.Text, sensitivity(p))
				continue
			}
			if list == "readonly" {
				continue
			}
			if by := coveringRule(f.plan.Glob, p.plan.File.Readonly, false); by != nil {
				say(list, f, by, "readonly, which wins")
			}
		}
	}
}

func sensitivity(p *policy) string {
	if f := p.spec.Filesystem; f != nil && f.Sensitive != "" {
		return f.Sensitive
	}
	return "block"
}

func coveringRule(g glob.Pattern, rules []plan.PathRule, blocked bool) *plan.PathRule {
	for i := range rules {
		if pathCovered(g, rules[i].Glob) || blocked && pathCovered(g, below(rules[i].Glob)) {
			return &rules[i]
		}
	}
	return nil
}

// directories finds entries that name a directory and nothing in it.
func directories(p *policy, r *reporter) {
	for _, list := range []string{"writable", "readonly"} {
		for _, f := range p.files(list) {
			if n := len(f.plan.Glob.Segments); n == 0 || f.plan.Glob.Segments[n-1].Deep {
				continue
			}
			if _, ok := p.tables.path(tables.KnownDirectory, f.plan.Glob); !ok || !literalTail(f.plan.Glob) {
				continue
			}
			if covered := coveringRule(below(f.plan.Glob), p.planned(list), false); covered != nil {
				continue
			}
			deep := strings.TrimSuffix(f.plan.Text, "/") + "/**"
			d := r.at(f.at(), fmt.Sprintf("write %s for the directory and everything in it", deep), "%q is the directory itself, and nothing in it", f.plan.Text)
			r.replace(d, false, deep, f.at()...)
		}
	}
}

func literalTail(g glob.Pattern) bool {
	_, ok := g.Segments[len(g.Segments)-1].Literal()
	return ok
}

// shallow finds entries whose last star stays within one level.
func shallow(p *policy, r *reporter) {
	for _, list := range []string{"writable", "readonly"} {
		for _, f := range p.files(list) {
			segments := f.plan.Glob.Segments
			last := segments[len(segments)-1]
			n := len(last.Tokens)
			if last.Deep || n == 0 || last.Tokens[n-1].Op != glob.Star || f.plan.Glob.Segments[0].Deep {
				continue
			}
			if coveringRule(below(f.plan.Glob), p.planned(list), false) != nil {
				continue
			}
			deep := f.plan.Text + "/**"
			if last.Whole() {
				deep = strings.TrimSuffix(f.plan.Text, "*") + "**"
			}
			r.at(f.at(), fmt.Sprintf("write %s for everything below", deep), "%q is one level: nothing below a directory that it matches", f.plan.Text)
		}
	}
}

// links finds entries below directories that are symbolic links.
func links(p *policy, r *reporter) {
	for _, list := range []string{"writable", "readonly"} {
		for _, f := range p.files(list) {
			for _, e := range tables.KnownOf(tables.KnownLink) {
				rest, ok := strings.CutPrefix(f.plan.Text, e.Pattern+"/")
				if !ok {
					continue
				}
				r.at(f.at(), "write "+e.Instead+"/"+rest, "%q matches nothing where %s: paths are compared after links are followed", f.plan.Text, e.Reason)
			}
		}
	}
	for _, c := range p.allowedCommands() {
		for _, e := range tables.KnownOf(tables.KnownLink) {
			if rest, ok := strings.CutPrefix(c.text, e.Pattern+"/"); ok && e.Pattern != "/var/run" {
				r.at(c.at(), "write "+e.Instead+"/"+rest, "%q matches nothing where %s: programs are compared after links are followed", c.text, e.Reason)
			}
		}
	}
}
