package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// The values of execution.carriers.
const (
	carriersAllow = "allow"
	carriersDeny  = "deny"
)

func carriersOf(d *parse.Document) string {
	if e := d.Policy.Spec.Execution; e != nil {
		return e.Carriers
	}
	return ""
}

// finishCommands: allowed_commands: [] also turns off carriers.
func (m *merged) finishCommands(carriers string) {
	m.Exec.None = m.Exec.Restricted && len(m.Exec.Allowed) == 0
	m.Exec.Carriers = carriers != carriersDeny && !m.Exec.None
}

// allowedCommands resolves a list of patterns; the scope is the list.
func (s scope) allowedCommands(list []string) []plan.CommandRule {
	var rules []plan.CommandRule
	s.eachPattern("execution.allowed_commands", list, func(at scope, o plan.Origin, stages [][]word) {
		if len(stages) > 1 {
			at.reportAt(stages[1][0].offset, "OSP2003", "list the commands one by one: allowed commands may be joined by pipes", "an allowed pattern is one command")
			return
		}
		rule := plan.CommandRule{Origin: o}
		var ok bool
		if rule.Program, ok = at.program(stages[0][0], canon.Family); !ok {
			return
		}
		if rule.Args, ok = at.args(stages[0][1:]); ok {
			rules = append(rules, rule)
		}
	})
	return rules
}

// eachPattern calls fn for each pattern of a list, groups replaced by what they
// stand for.
func (s scope) eachPattern(name string, list []string, fn func(scope, plan.Origin, [][]word)) {
	for i, text := range list {
		at := s.in(i)
		for _, pattern := range at.expand(text) {
			stages, err := words(pattern)
			if err != nil {
				at.glob("OSP2003", text, func(string) (glob.Pattern, error) { return glob.Pattern{}, err })
				continue
			}
			fn(at, at.origin(name, i, text), stages)
		}
	}
}

// expand replaces @group by the group's patterns.
func (s scope) expand(text string) []string {
	name := strings.TrimSpace(text)
	if !strings.HasPrefix(name, "@") {
		return []string{text}
	}
	groups := tables.Groups()
	known := slices.Sorted(maps.Keys(groups))
	group, rest, _ := strings.Cut(name, " ")
	switch patterns, ok := groups[group]; {
	case !ok && parse.Closest(group, known) != "":
		s.report("OSP2009", "did you mean "+parse.Closest(group, known)+"?", "there is no command group %s", group)
	case !ok:
		s.report("OSP2009", "known are "+strings.Join(known, ", "), "there is no command group %s", group)
	case rest != "":
		s.report("OSP2003", "write "+group+" alone", "a command group takes no arguments")
	default:
		return patterns
	}
	return nil
}

// program reads the first word of a command.
func (s scope) program(w word, family func(string) string) (plan.Program, bool) {
	if strings.Contains(w.glob, "/") {
		p, ok := s.programPath(w)
		return plan.Program{Path: &p}, ok
	}
	p, err := glob.Text(w.glob)
	if err != nil {
		return plan.Program{}, s.wordError(w, err)
	}
	name, ok := p.Literal("")
	switch {
	case w.rest():
		s.reportAt(w.offset, "OSP2003", "leave allowed_commands out to allow every command; write [] to allow none", "a pattern begins with the name of a program, not with *")
		return plan.Program{}, false
	case !ok:
		s.reportAt(w.offset, "OSP2003", "name the program, or give its path, such as /usr/bin/"+w.glob, "the name of a program holds no wildcard")
		return plan.Program{}, false
	case name == "":
		s.reportAt(w.offset, "OSP2003", "begin with the name of a program", "the name of the program is empty")
		return plan.Program{}, false
	case assigns(name):
		s.reportAt(w.offset, "OSP2003", "leave the assignment out, or write env "+name+" ...", "a pattern begins with a program, not with an assignment")
		return plan.Program{}, false
	}
	return plan.Program{Name: family(name)}, true
}

// assigns tells NAME=value from a program.
func assigns(word string) bool {
	name, _, found := strings.Cut(word, "=")
	return found && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (s scope) programPath(w word) (glob.Pattern, bool) {
	p, err := glob.FilePath(w.glob)
	if err != nil {
		return p, s.wordError(w, err)
	}
	if strings.Contains(w.glob, "//") || strings.HasSuffix(w.glob, "/") {
		s.reportAt(w.offset, "OSP2003", "write the path of the executable, with single slashes", "%q names no executable", w.glob)
		return p, false
	}
	return p, true
}

func (s scope) wordError(w word, err error) bool {
	s.glob("OSP2003", w.glob, func(string) (glob.Pattern, error) {
		if bad, ok := err.(*glob.Error); ok {
			return glob.Pattern{}, &glob.Error{Offset: w.offset + bad.Offset, Message: bad.Message, Hint: bad.Hint}
		}
		return glob.Pattern{}, err
	})
	return false
}

func (s scope) args(list []word) ([]plan.ArgToken, bool) {
	var out []plan.ArgToken
	for _, w := range list {
		if w.rest() {
			if n := len(out); n == 0 || !out[n-1].Rest {
				out = append(out, plan.ArgToken{Rest: true})
			}
			continue
		}
		p, err := glob.Text(w.glob)
		if err != nil {
			return nil, s.wordError(w, err)
		}
		out = append(out, plan.ArgToken{Glob: p})
	}
	return out, true
}
