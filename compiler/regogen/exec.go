package regogen

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
)

var programForm = where{dialect{sep: '/'}, "input.at.path", "input.at.dir", "input.at.segments"}

// exec generates sets over one command of the input:
//
//	allowed       ordinals of allowed patterns whose program is the family
//	              input.family and whose arguments match input.command
//	allowed_path  the same for patterns that name a path, input.at
//	program_path  the same whatever the arguments
//	stage         [ordinal, i] of blocked stages, by input.family
//	stage_path    the same by input.at
//
// and blocked, the ordinals of blocked patterns that the whole list matches,
// from input.stages, which holds every command's stages.
func exec(p *plan.Policy, base int) *module {
	m := newModule(p.Name, "exec")
	m.define("allowed", "allowed_path", "program_path", "stage", "stage_path", "blocked")
	for i, r := range p.Exec.Blocked {
		for j, s := range r.Stages {
			m.stage(&r, s, base+i, j)
		}
		m.WriteByte('\n')
		m.rule(fmt.Sprintf("blocked contains %d", base+i), chain(base+i, len(r.Stages)))
	}
	base += len(p.Exec.Blocked)
	for i, r := range p.Exec.Allowed {
		m.allowed(&r, base+i)
	}
	return m
}

func (m *module) stage(r *plan.PipelineRule, s plan.Stage, ordinal, index int) {
	var b body
	if s.Sub != nil {
		if cond := text("input.command.sub", []glob.Pattern{*s.Sub}); cond != "" {
			b = append(b, cond)
		}
	}
	for _, o := range s.Options {
		b = append(b, member("input.command.options", o))
	}
	for _, o := range s.Operands {
		b = append(b, member("input.command.operands", o))
	}
	id := fmt.Sprintf("[%d, %d]", ordinal, index)
	if s.Program.Path != nil {
		bodies := product(programForm.paths([]glob.Pattern{*s.Program.Path}), []body{b})
		m.labelled(r.Origin, "stage_path contains "+id, bodies)
		return
	}
	b = join(body{"input.family == " + quote(s.Program.Name)}, b)
	m.labelled(r.Origin, "stage contains "+id, []body{b})
}

// member asks that some element of a list matches.
func member(list string, p glob.Pattern) string {
	if lit, ok := p.Literal(""); ok {
		return quote(lit) + " in " + list
	}
	cond := text("item", []glob.Pattern{p})
	if cond == "" {
		cond = "true"
	}
	return fmt.Sprintf("count([item | some item in %s; %s]) > 0", list, cond)
}

// chain follows a pipeline from its last stage upstream.
func chain(ordinal, stages int) body {
	last := stages - 1
	b := body{fmt.Sprintf("some i%d, found in input.stages", last), fmt.Sprintf("[%d, %d] in found", ordinal, last)}
	for s := last - 1; s >= 0; s-- {
		b = append(b,
			fmt.Sprintf("some i%d in input.exec.commands[i%d].upstream", s, s+1),
			fmt.Sprintf("[%d, %d] in input.stages[i%d]", ordinal, s, s))
	}
	return b
}

func (m *module) allowed(r *plan.CommandRule, ordinal int) {
	args := argsBody(r.Args)
	if r.Program.Path != nil {
		programs := programForm.paths([]glob.Pattern{*r.Program.Path})
		m.labelled(r.Origin, fmt.Sprintf("allowed_path contains %d", ordinal), product(programs, []body{args}))
		m.labelled(r.Origin, fmt.Sprintf("program_path contains %d", ordinal), programs)
		return
	}
	b := join(body{"input.family == " + quote(r.Program.Name)}, args)
	m.labelled(r.Origin, fmt.Sprintf("allowed contains %d", ordinal), []body{b})
}

// argsBody matches the whole argument list in order.
func argsBody(tokens []plan.ArgToken) body {
	n := 0
	var b body
	for n < len(tokens) && !tokens[n].Rest {
		lit, ok := tokens[n].Glob.Literal("")
		if !ok {
			break
		}
		b = append(b, fmt.Sprintf("input.command.args[%d] == %s", n, quote(lit)))
		n++
	}
	switch {
	case n == len(tokens):
		return append(b, fmt.Sprintf("count(input.command.args) == %d", n))
	case n == len(tokens)-1 && tokens[n].Rest:
		return b
	}
	return append(b, fmt.Sprintf("regex.match(%s, input.command.line)", quote(lineRegex(tokens))))
}

// lineRegex matches arguments that each end in NUL.
func lineRegex(tokens []plan.ArgToken) string {
	d := dialect{line: true}
	var b strings.Builder
	b.WriteString("(?s)^")
	for _, t := range tokens {
		if t.Rest {
			b.WriteString(`(?:[^\x00]*\x00)*`)
			continue
		}
		if lit, ok := t.Glob.Literal(""); ok {
			b.WriteString(regexp.QuoteMeta(lit))
		} else {
			d.body(&b, t.Glob)
		}
		b.WriteString(`\x00`)
	}
	b.WriteByte('$')
	return b.String()
}
