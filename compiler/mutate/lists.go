package mutate

import (
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/schemas"
)

// stringList is a list of patterns, and where a pattern of it is moved to.
type stringList struct {
	name     string
	kind     schemas.Kind
	of       func(*schemas.Spec) *[]string
	path     []any
	target   string // "" for nowhere
	into     func(*schemas.Spec) *[]string
	wider    func(string) []string
	narrower func(string) (string, bool)
}

func (g *generator) list(l stringList) {
	var spec schemas.Spec
	if p, err := clone(g.doc.Policy); err == nil {
		spec = p.Spec
	}
	items := *l.of(&spec)
	for i, item := range items {
		c := change{rule: fmt.Sprintf("%s[%d]", l.name, i), kind: l.kind, at: append(slices.Clone(l.path), i)}
		cut := func(s *schemas.Spec) { *l.of(s) = slices.Delete(*l.of(s), i, i+1) }
		out := c
		out.op, out.ids, out.do = Drop, shifted(l.name, i, len(items)), cut
		g.add(out, "%s", item)
		for _, wide := range l.wider(item) {
			c.op, c.do = Widen, func(s *schemas.Spec) { (*l.of(s))[i] = wide }
			g.add(c, "%s becomes %s", item, wide)
		}
		if narrow, ok := l.narrower(item); ok {
			c.op, c.do = Narrow, func(s *schemas.Spec) { (*l.of(s))[i] = narrow }
			g.add(c, "%s becomes %s", item, narrow)
		}
		if l.target == "" {
			continue
		}
		out.op = Move
		out.do = func(s *schemas.Spec) {
			cut(s)
			*l.into(s) = append(*l.into(s), item)
		}
		g.add(out, "%s to %s", item, l.target)
	}
}

func one(f func(string) (string, bool)) func(string) []string {
	return func(s string) []string {
		if out, ok := f(s); ok {
			return []string{out}
		}
		return nil
	}
}

func (g *generator) filesystem() {
	if g.doc.Policy.Spec.Filesystem == nil {
		return
	}
	writable := func(s *schemas.Spec) *[]string { return &s.Filesystem.Writable }
	readonly := func(s *schemas.Spec) *[]string { return &s.Filesystem.Readonly }
	blocked := func(s *schemas.Spec) *[]string { return &s.Filesystem.Blocked }
	files := func(list, target string, of, into func(*schemas.Spec) *[]string) stringList {
		return stringList{
			name: "filesystem." + list, kind: schemas.KindFile, of: of, path: []any{"spec", "filesystem", list},
			target: target, into: into, wider: one(widerPath), narrower: narrowerPath,
		}
	}
	g.list(files("writable", "readonly", writable, readonly))
	g.list(files("readonly", "writable", readonly, writable))
	l := files("blocked", "readonly", blocked, readonly)
	l.narrower = narrowerBlocked
	g.list(l)
}

func (g *generator) execution() {
	x := g.doc.Policy.Spec.Execution
	if x == nil {
		return
	}
	blocked := stringList{
		name: "execution.blocked_commands", kind: schemas.KindExec, path: []any{"spec", "execution", "blocked_commands"},
		of:    func(s *schemas.Spec) *[]string { return &s.Execution.BlockedCommands },
		wider: widerBlocked, narrower: func(string) (string, bool) { return "", false },
	}
	allowed := stringList{
		name: "execution.allowed_commands", kind: schemas.KindExec, path: []any{"spec", "execution", "allowed_commands"},
		of:     func(s *schemas.Spec) *[]string { return s.Execution.AllowedCommands },
		target: "blocked_commands", into: blocked.of, wider: one(widerAllowed), narrower: narrowerAllowed,
	}
	if x.AllowedCommands != nil {
		g.list(allowed)
		blocked.target, blocked.into = "allowed_commands", allowed.of
	}
	g.list(blocked)
}
