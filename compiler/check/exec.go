package check

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

func (c *checker) exec(d *parse.Document) plan.Exec {
	x := d.Policy.Spec.Execution
	if x == nil {
		return plan.Exec{}
	}
	out := plan.Exec{Present: true}
	if x.AllowedCommands != nil {
		out.Restricted = true
		c.patterns(d, "allowed_commands", *x.AllowedCommands, func(o plan.Origin, src string) error {
			r, err := allowedRule(o, src)
			if err == nil {
				out.Allowed = append(out.Allowed, r)
			}
			return err
		})
	}
	c.patterns(d, "blocked_commands", x.BlockedCommands, func(o plan.Origin, src string) error {
		r, err := blockedRule(o, src)
		if err == nil {
			out.Blocked = append(out.Blocked, r)
		}
		return err
	})
	return out
}

// patterns reads one list, with groups expanded under the entry's id.
func (c *checker) patterns(d *parse.Document, list string, sources []string, add func(plan.Origin, string) error) {
	groups := tables.Groups()
	for i, src := range sources {
		at := []any{"spec", "execution", list, i}
		o := plan.Origin{ID: fmt.Sprintf("execution.%s[%d]", list, i), Pos: d.Pos(at...), Text: src}
		members := []string{src}
		if name := strings.TrimSpace(src); strings.HasPrefix(name, "@") {
			if members = groups[name]; members == nil {
				c.report(diag.New("OSP2009", d.Pos(at...), fmt.Sprintf("no command group is named %s", name), "known: @build, @coreutils, @posix"))
			}
		}
		for _, m := range members {
			if err := add(o, m); err != nil {
				c.globError(d, "OSP2003", m, err, at)
			}
		}
	}
}

func allowedRule(o plan.Origin, src string) (plan.CommandRule, error) {
	stages, err := split(src)
	if err != nil {
		return plan.CommandRule{}, err
	}
	if len(stages) > 1 {
		return plan.CommandRule{}, &glob.Error{Offset: strings.IndexByte(src, '|'), Message: "an allowed pattern is one command, not a pipeline", Hint: "list the commands one by one; each stage of a pipeline is judged by itself"}
	}
	r := plan.CommandRule{Origin: o}
	tokens := stages[0]
	if r.Program, err = program(tokens[0], canon.Family); err != nil {
		return r, err
	}
	for _, t := range tokens[1:] {
		if t.text == "*" {
			r.Args = append(r.Args, plan.ArgToken{Rest: true})
			continue
		}
		g, err := argument(t)
		if err != nil {
			return r, err
		}
		r.Args = append(r.Args, plan.ArgToken{Glob: g})
	}
	return r, nil
}

func blockedRule(o plan.Origin, src string) (plan.PipelineRule, error) {
	r := plan.PipelineRule{Origin: o}
	stages, err := split(src)
	if err != nil {
		return r, err
	}
	for _, tokens := range stages {
		s, err := stage(tokens)
		if err != nil {
			return r, err
		}
		r.Stages = append(r.Stages, s)
	}
	return r, nil
}

// stage normalises a blocked command as commands themselves are: options lose
// their spelling, paths are cleaned. A lone * asks for nothing, but it takes the
// place of a sub-command or of an option's value.
func stage(tokens []token) (plan.Stage, error) {
	var s plan.Stage
	var err error
	if s.Program, err = program(tokens[0], canon.BlockedFamily); err != nil {
		return s, err
	}
	var args []string
	for _, t := range tokens[1:] {
		if _, err := argument(t); err != nil {
			return s, err
		}
		args = append(args, t.text)
	}
	sub, options, operands := canon.Normalise(path.Base(tokens[0].text), args, "")
	if sub != "" && sub != "*" {
		g, err := glob.Text(sub)
		if err != nil {
			return s, err
		}
		s.Sub = &g
	}
	if s.Options, err = texts(options); err != nil {
		return s, err
	}
	s.Operands, err = texts(operands)
	return s, err
}

func texts(sources []string) ([]glob.Pattern, error) {
	var out []glob.Pattern
	for _, src := range slices.Compact(slices.Sorted(slices.Values(sources))) {
		if src == "*" {
			continue
		}
		g, err := glob.Text(src)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func argument(t token) (glob.Pattern, error) {
	g, err := glob.Text(t.text)
	return g, shift(err, t)
}

// shift moves an error from an offset of the token to one of the pattern.
func shift(err error, t token) error {
	var bad *glob.Error
	if errors.As(err, &bad) {
		moved := *bad
		moved.Offset += t.offset
		return &moved
	}
	return err
}

// program reads the first token: a path glob, or a name without wildcards.
func program(t token, family func(string) string) (plan.Program, error) {
	if strings.Contains(t.text, "/") {
		g, err := glob.FilePath(t.text)
		return plan.Program{Path: &g}, shift(err, t)
	}
	g, err := glob.Text(t.text)
	if err != nil {
		return plan.Program{}, shift(err, t)
	}
	name, ok := g.Literal("")
	if !ok || name == "" {
		return plan.Program{}, &glob.Error{Offset: t.offset, Message: fmt.Sprintf("the program %q is not a plain name", t.text), Hint: "name the program; leave allowed_commands out to allow every command that is not blocked"}
	}
	return plan.Program{Name: family(name)}, nil
}
