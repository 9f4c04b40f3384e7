package mutate

import (
	"fmt"
	"slices"

	"github.com/openshell-policy/openshell/schemas"
)

// settings gives each setting another value.
func (g *generator) settings() {
	spec := &g.doc.Policy.Spec
	mode := change{op: Set, rule: "mode", at: []any{"spec", "mode"}}
	other := schemas.ModeAudit
	if spec.Mode == schemas.ModeAudit {
		other = schemas.ModeEnforce
	}
	mode.do = func(s *schemas.Spec) { s.Mode = other }
	g.add(mode, "mode: %s", other)
	if spec.Filesystem != nil {
		g.filesystemSettings(spec.Filesystem)
	}
	if spec.Execution != nil {
		g.executionSettings(spec.Execution)
	}
}

func (g *generator) filesystemSettings(f *schemas.Filesystem) {
	c := change{op: Set, kind: schemas.KindFile}
	sensitive := map[string]string{"": "allow", "block": "allow", "everywhere": "block", "allow": "block"}[f.Sensitive]
	c.rule, c.at = "sensitive", []any{"spec", "filesystem", "sensitive"}
	c.do = func(s *schemas.Spec) { s.Filesystem.Sensitive = sensitive }
	g.add(c, "sensitive: %s", sensitive)
	baseline := "none"
	if f.Baseline == "none" {
		baseline = "runtime"
	}
	c.rule, c.at = "baseline", []any{"spec", "filesystem", "baseline"}
	c.do = func(s *schemas.Spec) { s.Filesystem.Baseline = baseline }
	g.add(c, "baseline: %s", baseline)
}

func (g *generator) executionSettings(x *schemas.Execution) {
	if x.AllowedCommands == nil {
		return
	}
	c := change{op: Set, kind: schemas.KindExec, rule: "allowed_commands", at: []any{"spec", "execution", "allowed_commands"}}
	c.do = func(s *schemas.Spec) { s.Execution.AllowedCommands = nil }
	g.add(c, "allowed_commands left out: any command that is not blocked")
	if len(*x.AllowedCommands) == 0 {
		return // carriers are off
	}
	carriers := "deny"
	if x.Carriers == "deny" {
		carriers = "allow"
	}
	c.rule, c.at = "carriers", []any{"spec", "execution", "carriers"}
	c.do = func(s *schemas.Spec) { s.Execution.Carriers = carriers }
	g.add(c, "carriers: %s", carriers)
}

// extends leaves each base out.
func (g *generator) extends() {
	for i, base := range g.doc.Policy.Spec.Extends {
		c := change{op: Drop, rule: fmt.Sprintf("extends[%d]", i), at: []any{"spec", "extends", i}}
		c.do = func(s *schemas.Spec) { s.Extends = slices.Delete(s.Extends, i, i+1) }
		g.add(c, "%s", base)
	}
}
