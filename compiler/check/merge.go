package check

import (
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// merge adds the rules of one document; ids of a base get its name in front.
func merge(p *plan.Policy, r *resolved, prefix string) {
	p.Network.Denied = append(p.Network.Denied, renamed(r.network.Denied, prefix, func(r *plan.NetworkRule) *plan.Origin { return &r.Origin })...)
	p.Network.Outbound = append(p.Network.Outbound, renamed(r.network.Outbound, prefix, func(r *plan.NetworkRule) *plan.Origin { return &r.Origin })...)
	path := func(r *plan.PathRule) *plan.Origin { return &r.Origin }
	p.File.Blocked = append(p.File.Blocked, renamed(r.file.Blocked, prefix, path)...)
	p.File.Readonly = append(p.File.Readonly, renamed(r.file.Readonly, prefix, path)...)
	p.File.Writable = append(p.File.Writable, renamed(r.file.Writable, prefix, path)...)
	p.Exec.Allowed = append(p.Exec.Allowed, renamed(r.exec.Allowed, prefix, func(r *plan.CommandRule) *plan.Origin { return &r.Origin })...)
	p.Exec.Blocked = append(p.Exec.Blocked, renamed(r.exec.Blocked, prefix, func(r *plan.PipelineRule) *plan.Origin { return &r.Origin })...)
	p.Exec.Present = p.Exec.Present || r.exec.Present
	p.Exec.Restricted = p.Exec.Restricted || r.exec.Restricted
}

func renamed[T any](rules []T, prefix string, origin func(*T) *plan.Origin) []T {
	out := slices.Clone(rules)
	for i := range out {
		origin(&out[i]).ID = prefix + origin(&out[i]).ID
	}
	return out
}

// settle applies the defaults, once everything is merged.
func (c *checker) settle(p *plan.Policy, e *entry, lineage []*entry) {
	c.settleRules(p, e, lineage)
	if c.scalar(e, baseline, "none", "runtime") != "none" {
		p.File.Baseline = placed(tableRules().baseline, p.Pos)
	}
	switch c.scalar(e, sensitive, "everywhere", "block", "allow") {
	case "allow":
	case "everywhere":
		p.File.Sensitive = placed(tableRules().everywhere, p.Pos)
	default:
		p.File.Sensitive = placed(tableRules().sensitive, p.Pos)
		p.File.SensitiveHome = placed(tableRules().home, p.Pos)
	}
}

// settleRules applies the defaults that a policy's own rules depend on.
func (c *checker) settleRules(p *plan.Policy, e *entry, lineage []*entry) {
	for _, rules := range [][]plan.NetworkRule{p.Network.Denied, p.Network.Outbound} {
		for i := range rules {
			if rules[i].Mode == "" {
				rules[i].Mode = p.Mode
			}
		}
	}
	p.Exec.None = p.Exec.Restricted && len(p.Exec.Allowed) == 0
	p.Exec.Carriers = c.scalar(e, carriers, "deny", "allow") != "deny"
	files := slices.ContainsFunc(lineage, func(part *entry) bool { return part.doc.Policy.Spec.Filesystem != nil })
	if !files {
		p.File.Writable = defaultWritable(p.Pos)
	}
}

func defaultWritable(pos diag.Position) []plan.PathRule {
	var out []plan.PathRule
	for _, g := range []string{"/workspace/**", "/tmp/**"} {
		out = append(out, tablePath(schemas.RuleDefault, g, g, pos))
	}
	return out
}

// tableRules are the paths of the tables, parsed once: well-known secrets in home
// directories, which are /root, /home/* and the sandbox's own, or anywhere.
var tableRules = sync.OnceValue(func() (t struct{ baseline, sensitive, everywhere, home []plan.PathRule }) {
	for _, g := range tables.Baseline() {
		t.baseline = append(t.baseline, tablePath(schemas.RuleBaseline, g, g, diag.Position{}))
	}
	rule := func(text, src string) plan.PathRule {
		return tablePath(schemas.RuleSensitive, text, src, diag.Position{})
	}
	for _, s := range tables.Sensitive() {
		if s.Anchor == tables.AnchorAbsolute {
			t.sensitive = append(t.sensitive, rule(s.Glob, s.Glob))
			t.everywhere = append(t.everywhere, rule(s.Glob, s.Glob))
			continue
		}
		t.everywhere = append(t.everywhere, rule("**/"+s.Glob, "**/"+s.Glob))
		t.sensitive = append(t.sensitive, rule("/root/"+s.Glob, "/root/"+s.Glob), rule("/home/*/"+s.Glob, "/home/*/"+s.Glob))
		t.home = append(t.home, rule("$HOME/"+s.Glob, "/"+s.Glob))
	}
	return t
})

// placed gives a policy's position to rules of the tables.
func placed(rules []plan.PathRule, pos diag.Position) []plan.PathRule {
	out := slices.Clone(rules)
	for i := range out {
		out[i].Pos = pos
	}
	return out
}

// tablePath parses a glob of ours; that it parses is for a test of the tables to
// hold.
func tablePath(id, text, src string, pos diag.Position) plan.PathRule {
	g, err := glob.FilePath(src)
	if err != nil {
		panic("table glob " + src + ": " + err.Error())
	}
	return plan.PathRule{Origin: plan.Origin{ID: id, Pos: pos, Text: text}, Glob: g}
}

// scalar is a policy's own value, else the strictest of its bases, where order
// lists the values from the strictest on; "" if nobody says anything.
func (c *checker) scalar(e *entry, get func(*schemas.Spec) string, order ...string) string {
	return c.strictest(e, get, order, nil)
}

func (c *checker) strictest(e *entry, get func(*schemas.Spec) string, order []string, above []*entry) string {
	if own := get(&e.doc.Policy.Spec); own != "" || slices.Contains(above, e) {
		return own
	}
	above = append(slices.Clone(above), e)
	best := len(order)
	for _, name := range e.doc.Policy.Spec.Extends {
		base := c.set[name]
		if base == nil {
			base = c.library[name]
		}
		if base == nil {
			continue
		}
		if i := slices.Index(order, c.strictest(base, get, order, above)); i >= 0 && i < best {
			best = i
		}
	}
	if best == len(order) {
		return ""
	}
	return order[best]
}

func mode(c *checker, e *entry) schemas.Mode {
	get := func(s *schemas.Spec) string { return string(s.Mode) }
	if m := c.scalar(e, get, string(schemas.ModeEnforce), string(schemas.ModeAudit)); m != "" {
		return schemas.Mode(m)
	}
	return schemas.ModeEnforce
}

func carriers(s *schemas.Spec) string {
	if s.Execution == nil {
		return ""
	}
	return s.Execution.Carriers
}

func baseline(s *schemas.Spec) string {
	if s.Filesystem == nil {
		return ""
	}
	return s.Filesystem.Baseline
}

func sensitive(s *schemas.Spec) string {
	if s.Filesystem == nil {
		return ""
	}
	return s.Filesystem.Sensitive
}
