package check

import (
	"slices"

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
	if c.scalar(e, baseline, "none", "runtime") != "none" {
		for _, g := range tables.Baseline() {
			p.File.Baseline = append(p.File.Baseline, tablePath(schemas.RuleBaseline, g, g, p.Pos))
		}
	}
	switch c.scalar(e, sensitive, "everywhere", "block", "allow") {
	case "allow":
	case "everywhere":
		addSensitive(p, true)
	default:
		addSensitive(p, false)
	}
}

func defaultWritable(pos diag.Position) []plan.PathRule {
	var out []plan.PathRule
	for _, g := range []string{"/workspace/**", "/tmp/**"} {
		out = append(out, tablePath(schemas.RuleDefault, g, g, pos))
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

// addSensitive expands the table of well-known secrets: home directories are
// /root, /home/* and the sandbox's own, or anywhere.
func addSensitive(p *plan.Policy, everywhere bool) {
	add := func(text, src string) {
		p.File.Sensitive = append(p.File.Sensitive, tablePath(schemas.RuleSensitive, text, src, p.Pos))
	}
	for _, s := range tables.Sensitive() {
		switch {
		case s.Anchor == tables.AnchorAbsolute:
			add(s.Glob, s.Glob)
		case everywhere:
			add("**/"+s.Glob, "**/"+s.Glob)
		default:
			add("/root/"+s.Glob, "/root/"+s.Glob)
			add("/home/*/"+s.Glob, "/home/*/"+s.Glob)
			p.File.SensitiveHome = append(p.File.SensitiveHome, tablePath(schemas.RuleSensitive, "$HOME/"+s.Glob, "/"+s.Glob, p.Pos))
		}
	}
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
