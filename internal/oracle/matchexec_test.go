package oracle_test

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// execution is the clause beside what it asks about files.
type execution struct {
	*schemas.Execution
	files *files
	in    *schemas.ExecInput
}

func decideExec(e *schemas.Execution, f *files, in *schemas.ExecInput) answer {
	if e == nil {
		return allowed(schemas.RuleDefault)
	}
	x := &execution{e, f, in}
	for i, pattern := range e.BlockedCommands {
		if x.blocked(strings.Split(pattern, "|")) {
			return denied(schemas.CodeBlockedCommand, fmt.Sprintf("execution.blocked_commands[%d]", i))
		}
	}
	loader := func(c schemas.Command) bool {
		return anyGlob(tables.Loaders(), c.Path, matchFile) || strings.HasPrefix(c.Path, "/memfd:") || strings.HasSuffix(c.Path, " (deleted)")
	}
	if len(in.EnvDenied) > 0 || slices.ContainsFunc(in.Commands, loader) {
		return denied(schemas.CodeUntrustedProgram, schemas.RuleDefault)
	}
	out := answer{}
	for i := range in.Commands {
		a := x.judge(i)
		if !a.Allow {
			return a
		}
		if i == 0 {
			out = a
		}
	}
	limited := e.AllowedCommands != nil || len(e.BlockedCommands) > 0
	if limited && in.Opaque && !in.Hook {
		return denied(schemas.CodeCommandNotAllowed, schemas.RuleDefault)
	}
	return out
}

// blocked tells whether a chain of commands matches the stages of a pattern.
func (x *execution) blocked(stages []string) bool {
	last := strings.Fields(stages[len(stages)-1])
	for i := range x.in.Commands {
		if least(last, &x.in.Commands[i]) && x.fed(stages[:len(stages)-1], x.in.Commands[i].Upstream) {
			return true
		}
	}
	return false
}

func (x *execution) fed(stages []string, upstream []int) bool {
	if len(stages) == 0 {
		return true
	}
	last := strings.Fields(stages[len(stages)-1])
	return slices.ContainsFunc(upstream, func(i int) bool {
		c := &x.in.Commands[i]
		return least(last, c) && x.fed(stages[:len(stages)-1], c.Upstream)
	})
}

// least tells whether the command has all that a blocked pattern names.
func least(words []string, c *schemas.Command) bool {
	if strings.Contains(words[0], "/") {
		if !slices.ContainsFunc(append([]string{c.Path, c.Program}, c.Links...), func(p string) bool { return p[0] == '/' && matchFile(words[0], p) }) {
			return false
		}
	} else if !slices.Contains(c.Names, canon.BlockedFamily(words[0])) {
		return false
	}
	sub, options, operands := canon.Normalise(words[0], words[1:], "")
	operands = slices.DeleteFunc(operands, func(w string) bool { return w == "*" })
	if sub == "*" { // any sub-command, or none
		sub = ""
	}
	has := func(wanted, given []string) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool {
			return !slices.ContainsFunc(given, func(g string) bool { return matchText(w, g) })
		})
	}
	return (sub == "" || matchText(sub, c.Sub)) && has(options, c.Options) && has(operands, c.Operand)
}

// judge decides one command by what is allowed.
func (x *execution) judge(i int) answer {
	c := &x.in.Commands[i]
	if x.AllowedCommands == nil {
		return allowed(schemas.RuleDefault)
	}
	if i == 0 && x.in.EntryPoint {
		return allowed(schemas.RuleEntryPoint)
	}
	rule, ok := x.named(c)
	switch {
	case ok && x.second(c):
		return allowed(rule)
	case x.helper(i):
		return allowed(schemas.RuleHelper)
	case x.untrusted(c):
		return denied(schemas.CodeUntrustedProgram, schemas.RuleDefault)
	}
	return denied(schemas.CodeCommandNotAllowed, schemas.RuleDefault)
}

// patterns are the allowed patterns, with the groups and carriers in place.
func (x *execution) patterns(fn func(rule string, words []string) bool) (string, bool) {
	for i, pattern := range *x.AllowedCommands {
		rule, list := fmt.Sprintf("execution.allowed_commands[%d]", i), []string{pattern}
		if strings.HasPrefix(pattern, "@") {
			list = tables.Groups()[pattern]
		}
		for _, p := range list {
			if fn(rule, strings.Fields(p)) {
				return rule, true
			}
		}
	}
	if !x.in.Hook || x.Carriers == "deny" || len(*x.AllowedCommands) == 0 {
		return "", false
	}
	for _, carrier := range tables.Carriers() {
		if fn(schemas.RuleCarrier, []string{carrier, "*"}) {
			return schemas.RuleCarrier, true
		}
	}
	return "", false
}

// writable tells whether the sandbox can change a file.
func (x *execution) writable(p string) bool {
	can, asked := x.files.changeable[p]
	if !asked {
		_, blocked := x.files.block([]string{p}, false)
		_, ok := x.files.write(p)
		can = ok && !blocked
		x.files.changeable[p] = can
	}
	return can
}

// trusted tells whether the command is what a family's name promises.
func (x *execution) trusted(c *schemas.Command, family string) bool {
	if x.writable(c.Path) {
		return false
	}
	return c.Named == family || c.Looked == family && !c.PathWritable && !slices.ContainsFunc(c.Links, x.writable)
}

// named returns what allows the program by its name or path.
func (x *execution) named(c *schemas.Command) (string, bool) {
	return x.patterns(func(rule string, words []string) bool {
		if !matchArgs(words[1:], c.Args) {
			return false
		}
		if strings.Contains(words[0], "/") {
			return matchFile(words[0], c.Path)
		}
		family := canon.Family(words[0])
		if rule == schemas.RuleCarrier {
			return c.Named == family && !x.writable(c.Path)
		}
		return x.trusted(c, family)
	})
}

// second tells whether what argv[0] names is allowed too.
func (x *execution) second(c *schemas.Command) bool {
	_, ok := x.patterns(func(rule string, words []string) bool {
		return canon.Family(words[0]) == c.Second && matchArgs(words[1:], c.Args) && (rule != schemas.RuleCarrier || !x.writable(c.Path))
	})
	return ok || c.Second == ""
}

// untrusted tells whether only the file behind an allowed name is wrong.
func (x *execution) untrusted(c *schemas.Command) bool {
	_, ok := x.patterns(func(rule string, words []string) bool {
		family := canon.Family(words[0])
		return rule != schemas.RuleCarrier && (family == c.Named || family == c.Looked) && matchArgs(words[1:], c.Args) && !x.trusted(c, family)
	})
	return ok
}

// helper tells whether the command belongs to the allowed program that starts it.
func (x *execution) helper(i int) bool {
	if i != 0 || x.in.Parent == "" || len(*x.AllowedCommands) == 0 || x.writable(x.in.Parent) {
		return false
	}
	c, parent := &x.in.Commands[i], path.Base(x.in.Parent)
	_, ok := x.patterns(func(rule string, words []string) bool {
		return rule != schemas.RuleCarrier && (canon.Family(words[0]) == parent || strings.Contains(words[0], "/") && matchFile(words[0], x.in.Parent))
	})
	return ok && !x.writable(c.Path) && slices.ContainsFunc(tables.Helpers(), func(h tables.Helper) bool {
		return h.Program == parent && (slices.Contains(h.Interpreters, c.Named) ||
			slices.ContainsFunc(h.Dirs, func(dir string) bool { return strings.HasPrefix(c.Path, dir) }))
	})
}

// matchArgs compares whole argument lists: "*" is any number of arguments.
func matchArgs(words, args []string) bool {
	switch {
	case len(words) == 0:
		return len(args) == 0
	case words[0] == "*":
		return matchArgs(words[1:], args) || len(args) > 0 && matchArgs(words, args[1:])
	}
	return len(args) > 0 && matchText(words[0], args[0]) && matchArgs(words[1:], args[1:])
}
