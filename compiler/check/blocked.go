package check

import (
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// blockedCommands resolves a list of patterns; the scope is the list.
func (s scope) blockedCommands(list []string) []plan.PipelineRule {
	var rules []plan.PipelineRule
	s.eachPattern("execution.blocked_commands", list, func(at scope, o plan.Origin, stages [][]word) {
		rule := plan.PipelineRule{Origin: o}
		for _, stage := range stages {
			st, ok := at.stage(stage)
			if !ok {
				return
			}
			rule.Stages = append(rule.Stages, st)
		}
		rules = append(rules, rule)
	})
	return rules
}

// stage normalises one command as package canon does with what is run. A bare *
// requires nothing, but it takes the place of a sub-command.
func (s scope) stage(list []word) (plan.Stage, bool) {
	program, ok := s.program(list[0], canon.BlockedFamily)
	if !ok {
		return plan.Stage{}, false
	}
	args := make([]string, 0, len(list)-1)
	for _, w := range list[1:] {
		if _, err := glob.Text(w.glob); err != nil {
			return plan.Stage{}, s.wordError(w, err)
		}
		args = append(args, w.glob)
	}
	out := plan.Stage{Program: program}
	sub, options, operands := canon.Normalise(list[0].glob, args, "")
	if subs := s.required([]string{sub}); len(subs) > 0 && sub != "" {
		out.Sub = &subs[0]
	}
	out.Options, out.Operands = s.required(options), s.required(operands)
	return out, true
}

func (s scope) required(list []string) []glob.Pattern {
	var out []glob.Pattern
	for _, src := range list {
		if src == "*" {
			continue
		}
		p, err := glob.Text(src)
		if err != nil {
			s.report("OSP2003", "write the option and its value as words of their own", "%s in %q", err, src)
			continue
		}
		out = append(out, p)
	}
	return out
}
