package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// redundantCommands finds patterns that others of the same list cover.
func redundantCommands(p *policy, r *reporter) {
	if len(p.plan.Exec.Allowed) > maxCompared || len(p.plan.Exec.Blocked) > maxCompared {
		return
	}
	gone := map[string]bool{}
	for _, c := range slices.Backward(p.allowedCommands()) {
		if other := p.coveringCommand(c, gone); other != nil {
			gone[c.allowed[0].ID] = true
			d := r.at(c.at(), "remove it", "%q adds nothing: %q (%s) allows the same and more", c.text, other.Text, other.ID)
			related(d, other.Pos, other.ID+" stands here")
			r.remove(d, true, c.at()...)
		} else if len(c.allowed) == 1 && commandUnion(&c.allowed[0], p.otherCommands(c, gone)) {
			gone[c.allowed[0].ID] = true
			d := r.at(c.at(), "remove it", "%q adds nothing: the other patterns together allow the same", c.text)
			r.remove(d, true, c.at()...)
		}
	}
	gone = map[string]bool{}
	for _, c := range slices.Backward(p.blockedCommands()) {
		for j := range p.plan.Exec.Blocked {
			other := &p.plan.Exec.Blocked[j]
			if other.Pos == c.blocked[0].Pos || gone[other.ID] || !c.allBlocked(other) {
				continue
			}
			gone[c.blocked[0].ID] = true
			d := r.at(c.at(), "remove it", "%q adds nothing: %q (%s) blocks the same and more", c.text, other.Text, other.ID)
			related(d, other.Pos, other.ID+" stands here")
			r.remove(d, true, c.at()...)
			break
		}
	}
}

func (p *policy) otherCommands(c command, gone map[string]bool) []*plan.CommandRule {
	var out []*plan.CommandRule
	for i := range p.plan.Exec.Allowed {
		if o := &p.plan.Exec.Allowed[i]; o.Pos != c.allowed[0].Pos && !gone[o.ID] {
			out = append(out, o)
		}
	}
	return out
}

func (p *policy) coveringCommand(c command, gone map[string]bool) *plan.CommandRule {
	var found *plan.CommandRule
	for _, a := range c.allowed {
		i := slices.IndexFunc(p.plan.Exec.Allowed, func(o plan.CommandRule) bool {
			return o.Pos != a.Pos && !gone[o.ID] && commandCovered(&a, &o)
		})
		if i < 0 {
			return nil
		}
		found = &p.plan.Exec.Allowed[i]
	}
	return found
}

func (c command) allBlocked(by *plan.PipelineRule) bool {
	return !slices.ContainsFunc(c.blocked, func(b plan.PipelineRule) bool { return !pipelineCovered(&b, by) })
}

// commandCovered tells whether every command of an allowed pattern is one of
// another pattern's.
func commandCovered(c, by *plan.CommandRule) bool {
	return programCovered(c.Program, by.Program) && argsCovered(c.Args, by.Args)
}

func programCovered(p, by plan.Program) bool {
	if by.Path != nil {
		return p.Path != nil && pathCovered(*p.Path, *by.Path)
	}
	return p.Path == nil && p.Name == by.Name
}

func argsCovered(c, by []plan.ArgToken) bool {
	ok := make([]bool, len(c)+1)
	for i := len(by); i >= 0; i-- {
		below := ok
		ok = make([]bool, len(c)+1)
		for j := len(c); j >= 0; j-- {
			switch {
			case i == len(by):
				ok[j] = j == len(c)
			case by[i].Rest:
				ok[j] = below[j] || j < len(c) && ok[j+1]
			case j < len(c) && !c[j].Rest:
				ok[j] = below[j+1] && textCovered(c[j].Glob, by[i].Glob)
			}
		}
	}
	return ok[0]
}

// pipelineCovered tells whether whatever a blocked pattern matches another one
// does. A stage that asks for less matches more, and fewer stages in the same
// order do.
func pipelineCovered(b, by *plan.PipelineRule) bool {
	j := 0
	for i := range b.Stages {
		if j < len(by.Stages) && stageCovered(&b.Stages[i], &by.Stages[j]) {
			j++
		}
	}
	return j == len(by.Stages)
}

func stageCovered(s, by *plan.Stage) bool {
	if !programCovered(s.Program, by.Program) || by.Sub != nil && (s.Sub == nil || !textCovered(*s.Sub, *by.Sub)) {
		return false
	}
	return asked(by.Options, s.Options) && asked(by.Operands, s.Operands)
}

// asked tells whether each pattern that is asked for is among those given.
func asked(wanted, given []glob.Pattern) bool {
	return !slices.ContainsFunc(wanted, func(w glob.Pattern) bool {
		return !slices.ContainsFunc(given, func(g glob.Pattern) bool { return textCovered(g, w) })
	})
}

// neverRuns finds allowed patterns whose every command is blocked.
func neverRuns(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for i := range p.plan.Exec.Blocked {
			b := &p.plan.Exec.Blocked[i]
			if len(c.allowed) != 1 || !blocksAll(&c.allowed[0], b) {
				continue
			}
			d := r.at(c.at(), "remove one of the two", "%q never runs: %q (%s) blocks it", c.text, b.Text, b.ID)
			related(d, b.Pos, b.ID+" stands here")
			break
		}
	}
}

// blocksAll tells whether a blocked pattern of one stage asks for nothing that the
// allowed one does not always have.
func blocksAll(c *plan.CommandRule, b *plan.PipelineRule) bool {
	if len(b.Stages) != 1 {
		return false
	}
	s := &b.Stages[0]
	if s.Program.Path != nil || c.Program.Path != nil || canon.BlockedFamily(c.Program.Name) != s.Program.Name {
		return false
	}
	if s.Sub == nil && len(s.Options) == 0 && len(s.Operands) == 0 {
		return true
	}
	var words []string
	for _, a := range c.Args {
		text, ok := a.Glob.Literal("")
		if a.Rest || !ok {
			break
		}
		words = append(words, text)
	}
	sub, options, operands := canon.Normalise(c.Program.Name, words, "/")
	has := func(wanted []glob.Pattern, given []string) bool {
		return asked(wanted, literalsOf(given))
	}
	return (s.Sub == nil || sub != "" && textCovered(literalsOf([]string{sub})[0], *s.Sub)) && has(s.Options, options) && has(s.Operands, operands)
}

func literalsOf(words []string) []glob.Pattern {
	var out []glob.Pattern
	for _, w := range words {
		out = append(out, glob.Pattern{Source: w, Segments: []glob.Segment{{Tokens: []glob.Token{{Op: glob.Literal, Lit: w}}}}})
	}
	return out
}

// blocksNothing finds blocked patterns whose program may not run anyway.
func blocksNothing(p *policy, r *reporter) {
	if !p.plan.Exec.Restricted || p.extended[p.plan.Name] || !p.compiles {
		return
	}
	for _, c := range p.blockedCommands() {
		if missing := p.neverRun(c.blocked); missing != "" {
			r.at(c.at(), "remove it, or keep it with an ignore comment as a guard", "%q blocks nothing but an entry point: no allowed command is %s", c.text, missing)
		}
	}
}

// neverRun names a program that each of some blocked patterns needs and that may
// not run; "" if one of them may be met.
func (p *policy) neverRun(patterns []plan.PipelineRule) string {
	missing := ""
	for _, b := range patterns {
		i := slices.IndexFunc(b.Stages, func(s plan.Stage) bool { return s.Program.Path == nil && !p.mayRun(s.Program.Name) })
		if i < 0 {
			return ""
		}
		missing = b.Stages[i].Program.Name
	}
	return missing
}

// mayRun tells whether a program of a blocked family may run: named, by a path, as
// a carrier or as a helper.
func (p *policy) mayRun(family string) bool {
	if p.plan.Exec.None {
		return false
	}
	named := slices.ContainsFunc(p.plan.Exec.Allowed, func(c plan.CommandRule) bool {
		return c.Program.Path != nil || canon.BlockedFamily(c.Program.Name) == family
	})
	carried := p.plan.Exec.Carriers && slices.ContainsFunc(tables.Carriers(), func(c string) bool { return canon.BlockedFamily(c) == family })
	helped := slices.ContainsFunc(tables.Helpers(), func(h tables.Helper) bool {
		return slices.ContainsFunc(h.Interpreters, func(i string) bool { return canon.BlockedFamily(i) == family })
	})
	return named || carried || helped
}

// bareCommands finds allowed patterns that name a program without arguments.
func bareCommands(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		if strings.HasPrefix(strings.TrimSpace(c.text), "@") || len(c.allowed) != 1 || len(c.allowed[0].Args) > 0 {
			continue
		}
		if slices.ContainsFunc(p.plan.Exec.Allowed, func(o plan.CommandRule) bool {
			return len(o.Args) > 0 && o.Program.Path == nil && o.Program.Name == c.allowed[0].Program.Name
		}) {
			continue
		}
		d := r.at(c.at(), fmt.Sprintf("write %q to allow it with any arguments", c.text+" *"), "%q allows the program without arguments only", c.text)
		r.replace(d, false, strings.TrimSpace(c.text)+" *", c.at()...)
	}
}

// interpreters finds programs that do what a text says, beside which other rules
// of commands are a guard rail.
func interpreters(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			name := a.Program.Name
			if a.Program.Path != nil {
				name = canon.Family(literal(a.Program.Path.Segments[len(a.Program.Path.Segments)-1]))
			}
			e, ok := p.tables.words[tables.KnownInterpreter][name]
			if !ok || strings.HasPrefix(c.text, "@") || !open(a.Args) {
				continue
			}
			r.at(c.at(), "name the scripts that may run, or rely on the rules for network and files, which hold for it as well",
				"%s %s: the other command rules do not bind what it does itself", name, e.Reason)
		}
	}
}

// open tells whether arguments let any text be run.
func open(args []plan.ArgToken) bool {
	return len(args) > 0 && args[0].Rest || len(args) > 1 && args[1].Rest && slices.Contains([]string{"-c", "-e", "-m", "run", "exec", "install"}, literal(args[0].Glob.Segments[0]))
}

// guardRail finds blocked commands without a list of allowed ones.
func guardRail(p *policy, r *reporter) {
	if p.spec.Execution == nil || len(p.plan.Exec.Blocked) == 0 || p.plan.Exec.Restricted || len(p.spec.Execution.BlockedCommands) == 0 || p.extended[p.plan.Name] {
		return
	}
	r.key([]any{"spec", "execution", "blocked_commands"}, "add allowed_commands, with @coreutils for what a shell needs",
		"blocked_commands without allowed_commands is a guard rail, not a wall: a copy or a script of one's own does the same")
}

// privileged finds programs that reach beyond the sandbox.
func privileged(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			e, ok := p.tables.words[tables.KnownPrivileged][a.Program.Name]
			if ok && !strings.HasPrefix(c.text, "@") && !onlyReads(e, a.Args) {
				r.at(c.at(), "remove it, or allow the one command that is needed", "%s %s", a.Program.Name, e.Reason)
			}
		}
	}
}

// reading are sub-commands of privileged programs that change nothing.
var reading = []string{"get", "describe", "logs", "version", "ps", "images", "info", "status", "list", "top", "show", "search", "history", "-l"}

func onlyReads(e tables.Known, args []plan.ArgToken) bool {
	return !strings.HasPrefix(e.Reason, "becomes") && len(args) > 0 && !args[0].Rest && slices.Contains(reading, literal(args[0].Glob.Segments[0]))
}

// writablePrograms finds allowed programs that the sandbox may write itself.
func writablePrograms(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			if a.Program.Path == nil || p.readOnly(*a.Program.Path) {
				continue
			}
			i := slices.IndexFunc(p.plan.File.Writable, func(w plan.PathRule) bool { return pathsMeet(*a.Program.Path, w.Glob) })
			if i >= 0 {
				w := p.plan.File.Writable[i]
				d := r.at(c.at(), "name the program that runs it, such as python, or make the file readonly", "%q allows whatever the sandbox writes there: %q is writable", c.text, w.Text)
				related(d, w.Pos, w.ID+" stands here")
			}
		}
	}
}

// writableScripts finds interpreters that are given a file which the sandbox may
// write.
func writableScripts(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			if len(a.Args) == 0 || !p.runsFiles(a.Program.Name) {
				continue
			}
			script, ok := a.Args[0].Glob.Literal("")
			if !ok || a.Args[0].Rest || strings.HasPrefix(script, "-") || !strings.ContainsAny(script, "./") {
				continue
			}
			if !strings.HasPrefix(script, "/") {
				script = "/workspace/" + strings.TrimPrefix(script, "./")
			}
			g := fileGlob(script)
			i := slices.IndexFunc(p.plan.File.Writable, func(w plan.PathRule) bool { return len(g.Segments) > 0 && pathsMeet(g, w.Glob) })
			if i >= 0 && !p.readOnly(g) {
				w := p.plan.File.Writable[i]
				d := r.at(c.at(), "make the file readonly, or keep it outside of what is writable", "%q runs whatever the sandbox writes to %s: %q is writable", c.text, script, w.Text)
				related(d, w.Pos, w.ID+" stands here")
			}
		}
	}
}

// runsFiles tells whether a program's first operand is a file that it runs.
func (p *policy) runsFiles(name string) bool {
	e, ok := p.tables.words[tables.KnownInterpreter][name]
	return ok && strings.HasPrefix(e.Reason, "runs any") || slices.Contains(tables.ShellFamily(), name)
}

// notHTTP finds allowed programs whose protocol does not pass the gateway.
func notHTTP(p *policy, r *reporter) {
	for _, c := range p.allowedCommands() {
		for _, a := range c.allowed {
			e, ok := p.tables.words[tables.KnownNotHTTP][a.Program.Name]
			if !ok || strings.HasPrefix(c.text, "@") {
				continue
			}
			hint := e.Instead
			if hint == "" {
				hint = "remove it"
			}
			r.at(c.at(), hint, "%s speaks %s, and only HTTP and HTTPS leave the sandbox", a.Program.Name, e.Reason)
		}
	}
}

// shellNeeds are what scripts of agents use all the time.
var shellNeeds = []string{"ls", "cat", "mkdir", "rm", "cp", "grep"}

// lacksCoreutils finds lists of allowed commands without the ordinary ones.
func lacksCoreutils(p *policy, r *reporter) {
	if p.spec.Execution == nil || p.spec.Execution.AllowedCommands == nil || p.plan.Exec.None || !p.plan.Exec.Restricted || p.extended[p.plan.Name] {
		return
	}
	var missing []string
	for _, name := range shellNeeds {
		if !slices.ContainsFunc(p.plan.Exec.Allowed, func(c plan.CommandRule) bool {
			return c.Program.Name == name || c.Program.Path != nil && pathsMeet(*c.Program.Path, fileGlob("/usr/bin/"+name))
		}) {
			missing = append(missing, name)
		}
	}
	if len(missing) == len(shellNeeds) {
		r.key([]any{"spec", "execution", "allowed_commands"}, `add "@coreutils", and "grep *", if the agent works in a shell`, "the list has none of %s, which scripts use all the time", strings.Join(missing, ", "))
	}
}
