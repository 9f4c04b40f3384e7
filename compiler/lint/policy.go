package lint

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
)

// policy is one policy as written and as resolved.
type policy struct {
	*set
	doc      *parse.Document
	spec     *schemas.Spec
	own      *plan.Policy // as if it extended nothing
	plan     *plan.Policy // with its bases; own if it does not compile
	compiles bool
	requests *space // built when asked for
}

// rule is a network rule that stands in the policy itself.
type rule struct {
	list string // outbound or denied
	i    int
	text *schemas.NetworkRule
	plan *plan.NetworkRule
}

// at is the path of the rule, or of a value in it.
func (r rule) at(more ...any) []any {
	return append([]any{"spec", "network", r.list, r.i}, more...)
}

func (p *policy) outbound() []rule {
	if p.spec.Network == nil {
		return nil
	}
	return rules("outbound", p.spec.Network.Outbound, p.own.Network.Outbound)
}

func (p *policy) denied() []rule {
	if p.spec.Network == nil {
		return nil
	}
	return rules("denied", p.spec.Network.Denied, p.own.Network.Denied)
}

// rules pairs what was written with what it means, less the rules without a host.
func rules(list string, texts []schemas.NetworkRule, plans []plan.NetworkRule) []rule {
	var out []rule
	for i := range texts {
		if i < len(plans) && len(plans[i].Host.Segments) > 0 && len(plans[i].Endpoints) > 0 {
			out = append(out, rule{list, i, &texts[i], &plans[i]})
		}
	}
	return out
}

// fileRule is an entry of a file list that stands in the policy itself.
type fileRule struct {
	list string // writable, readonly or blocked
	i    int
	plan *plan.PathRule
}

func (f fileRule) at() []any { return []any{"spec", "filesystem", f.list, f.i} }

// files lists the entries of a file list that parse.
func (p *policy) files(list string) []fileRule {
	f := p.spec.Filesystem
	if f == nil {
		return nil
	}
	texts, plans := f.Writable, p.own.File.Writable
	switch list {
	case "readonly":
		texts, plans = f.Readonly, p.own.File.Readonly
	case "blocked":
		texts, plans = f.Blocked, p.own.File.Blocked
	}
	var out []fileRule
	for i := range texts {
		pos := p.doc.Pos("spec", "filesystem", list, i)
		if j := slices.IndexFunc(plans, func(r plan.PathRule) bool { return r.Pos == pos }); j >= 0 {
			out = append(out, fileRule{list, i, &plans[j]})
		}
	}
	return out
}

// command is an entry of a list of commands that stands in the policy itself.
type command struct {
	list    string // allowed_commands or blocked_commands
	i       int
	text    string
	allowed []plan.CommandRule // several for a group
	blocked []plan.PipelineRule
}

func (c command) at() []any { return []any{"spec", "execution", c.list, c.i} }

func (p *policy) allowedCommands() []command {
	if p.spec.Execution == nil || p.spec.Execution.AllowedCommands == nil {
		return nil
	}
	var out []command
	for i, text := range *p.spec.Execution.AllowedCommands {
		c := command{list: "allowed_commands", i: i, text: text}
		pos := p.doc.Pos(c.at()...)
		for _, r := range p.own.Exec.Allowed {
			if r.Pos == pos {
				c.allowed = append(c.allowed, r)
			}
		}
		if len(c.allowed) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func (p *policy) blockedCommands() []command {
	if p.spec.Execution == nil {
		return nil
	}
	var out []command
	for i, text := range p.spec.Execution.BlockedCommands {
		c := command{list: "blocked_commands", i: i, text: text}
		pos := p.doc.Pos(c.at()...)
		for _, r := range p.own.Exec.Blocked {
			if r.Pos == pos {
				c.blocked = append(c.blocked, r)
			}
		}
		if len(c.blocked) > 0 {
			out = append(out, c)
		}
	}
	return out
}
