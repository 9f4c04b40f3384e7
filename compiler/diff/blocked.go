package diff

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// blocked compares blocked patterns: one that no pattern of the other policy
// covers makes a difference if an example shows it, and is unknown otherwise.
func (x *commands) blocked(ctx context.Context) error {
	if err := x.lifted(ctx, Widens, x.from, x.to); err != nil {
		return err
	}
	return x.lifted(ctx, Narrows, x.to, x.from)
}

// lifted looks for what one policy blocks and another does not.
func (x *commands) lifted(ctx context.Context, d Direction, blocks, passes *plan.Policy) error {
	if blocks.Mode == schemas.ModeAudit {
		return nil
	}
	var others []*plan.PipelineRule
	for i := range passes.Exec.Blocked {
		others = append(others, &passes.Exec.Blocked[i])
	}
	for i := range blocks.Exec.Blocked {
		r := &blocks.Exec.Blocked[i]
		if passes.Mode != schemas.ModeAudit && exact.BlockedCovered(r, others...) == exact.Yes {
			continue
		}
		shown := false
		for _, e := range examples(r, passes) {
			var err error
			if shown, err = x.show(ctx, e.in, e.text, r.Text, d, false); err != nil {
				return err
			}
			if shown {
				break
			}
		}
		if !shown {
			x.doubt(fmt.Sprintf("no example shows whether what %q blocks passes on the other side", r.Text), d)
		}
	}
	return nil
}

// example is an execution of one or several commands.
type example struct {
	in   *schemas.ExecInput
	text string
}

// examples are executions that a blocked pattern matches: as it is written, as the
// command that a sandbox is created with, and by programs of other names that the
// policy allows, reached through a link that has the blocked one.
func examples(r *plan.PipelineRule, allowed *plan.Policy) []example {
	var out []example
	stages := make([][]string, len(r.Stages))
	for i := range r.Stages {
		stages[i] = StageWords(&r.Stages[i])
	}
	put := func(sh canon.Shell, change func(i int, c *schemas.Command), suffix string) {
		in, text := chain(stages, sh, change)
		if in != nil {
			out = append(out, example{in, text + suffix})
		}
	}
	put(canon.Shell{Hook: true}, nil, "")
	put(canon.Shell{Hook: true, EntryPoint: true}, nil, " as the entry point")
	for i := range allowed.Exec.Allowed {
		a := &allowed.Exec.Allowed[i]
		if a.Program.Path != nil || len(out) > tries {
			continue
		}
		put(canon.Shell{Hook: true}, func(_ int, c *schemas.Command) {
			c.Links = []string{"/usr/bin/" + path.Base(c.Program)}
			c.Program, c.Path, c.Argv0 = a.Program.Name, "/usr/bin/"+a.Program.Name, a.Program.Name
		}, fmt.Sprintf(", a link to %s", a.Program.Name))
	}
	return out
}

// Execution is an example of what a pattern matches.
type Execution struct {
	Input *schemas.ExecInput
	Text  string
}

// Pipelines are examples of what a blocked pattern matches, as it is written.
func Pipelines(r *plan.PipelineRule) []Execution {
	stages := make([][]string, len(r.Stages))
	for i := range r.Stages {
		stages[i] = StageWords(&r.Stages[i])
	}
	in, text := chain(stages, canon.Shell{Hook: true}, nil)
	if in == nil {
		return nil
	}
	return []Execution{{in, text}}
}

// Words is the shortest command that an allowed pattern matches.
func Words(r *plan.CommandRule) []string {
	_, out := exact.CommandsIntersect(r, r)
	return out
}

// chain builds the input of a pipeline: each command reads from those before it.
func chain(stages [][]string, sh canon.Shell, change func(int, *schemas.Command)) (*schemas.ExecInput, string) {
	var whole *schemas.ExecInput
	var texts []string
	var upstream []int
	for i, argv := range stages {
		c := schemas.Command{}
		if strings.Contains(argv[0], "/") {
			c.Program, c.Path = argv[0], argv[0]
		} else {
			c.Program, c.Path = argv[0], "/usr/bin/"+argv[0]
		}
		list := slices.Clone(argv)
		if change != nil {
			change(i, &c)
			list[0] = c.Argv0
		}
		in, err := canon.CommandArgv(list, c, sh)
		if err != nil {
			return nil, ""
		}
		texts = append(texts, quoted(argv))
		if whole == nil {
			whole = in
			upstream = append(upstream, 0)
			continue
		}
		at := len(whole.Commands)
		for k := range in.Commands {
			for u := range in.Commands[k].Upstream {
				in.Commands[k].Upstream[u] += at
			}
		}
		in.Commands[0].Upstream = append(slices.Clone(upstream), in.Commands[0].Upstream...)
		whole.Commands = append(whole.Commands, in.Commands...)
		upstream = append(upstream, at)
	}
	return whole, strings.Join(texts, " | ")
}

// StageWords is the least command line that a stage matches.
func StageWords(s *plan.Stage) []string {
	out := []string{s.Program.Name}
	if s.Program.Path != nil {
		_, out[0] = exact.PathsIntersect(*s.Program.Path, *s.Program.Path)
	}
	if s.Sub != nil {
		out = append(out, sample(*s.Sub))
	}
	for _, list := range [][]glob.Pattern{s.Options, s.Operands} {
		for _, p := range list {
			out = append(out, sample(p))
		}
	}
	return out
}

// sample is the shortest text that a glob matches.
func sample(p glob.Pattern) string {
	text, _ := exact.SampleText(p)
	return text
}

// odds compares what is neither a program with its arguments nor blocked: loader
// variables, text that is not literal, helpers, a second argv[0].
func (x *commands) odds(ctx context.Context) error {
	for _, e := range []struct {
		text string
		hook bool
		has  func(e *plan.Exec) bool
	}{
		{"LD_PRELOAD=/tmp/a.so true", true, func(e *plan.Exec) bool { return e.Present }},
		{`"$X"`, false, func(e *plan.Exec) bool { return e.Restricted || len(e.Blocked) > 0 }},
	} {
		before, after := x.enforces(x.from) && e.has(&x.from.Exec), x.enforces(x.to) && e.has(&x.to.Exec)
		if before == after {
			continue
		}
		in, err := canon.CommandText(e.text, canon.Shell{Hook: e.hook})
		if err == nil {
			if _, err := x.show(ctx, in, e.text, e.text, direction(!after), !e.hook); err != nil {
				return err
			}
		}
		if d := direction(!after); x.settled(d) != exact.Yes {
			x.doubt("one policy denies what loads other code or is not literal, the other does not", d)
		}
	}
	if err := x.helpers(ctx); err != nil {
		return err
	}
	x.seconds()
	return nil
}

func (x *commands) enforces(p *plan.Policy) bool { return p.Mode != schemas.ModeAudit }

// helpers compares which programs may start programs of their own.
func (x *commands) helpers(ctx context.Context) error {
	for _, h := range tables.Helpers() {
		before, after := x.starts(x.from, h.Program), x.starts(x.to, h.Program)
		if before == after {
			continue
		}
		d := direction(after == exact.Yes)
		if x.settled(d) == exact.Yes && before != exact.Unknown && after != exact.Unknown {
			continue // follows from the change of the program itself
		}
		shown := false
		for _, at := range helperPaths(h) {
			in, err := canon.CommandArgv([]string{at}, schemas.Command{Program: at, Path: at}, canon.Shell{Hook: true, Parent: "/usr/bin/" + h.Program})
			if err != nil {
				continue
			}
			if shown, err = x.show(ctx, in, at+" started by "+h.Program, "helpers of "+h.Program, d, false); err != nil || shown {
				break
			}
		}
		if !shown {
			x.doubt(fmt.Sprintf("no example shows whether helpers of %s change", h.Program), d)
		}
	}
	return ctx.Err()
}

func helperPaths(h tables.Helper) []string {
	var out []string
	for _, dir := range h.Dirs {
		out = append(out, dir+"helper")
	}
	for _, i := range h.Interpreters {
		out = append(out, "/usr/bin/"+i)
	}
	return out
}

// starts tells whether a policy allows a program, whatever its arguments.
func (x *commands) starts(p *plan.Policy, program string) exact.Verdict {
	if !x.enforces(p) || !p.Exec.Restricted {
		return exact.Yes
	}
	answer := exact.No
	for i := range p.Exec.Allowed {
		r := &p.Exec.Allowed[i]
		switch {
		case r.Program.Path == nil && r.Program.Name == program:
			return exact.Yes
		case r.Program.Path != nil && exact.MatchesFile(*r.Program.Path, "/usr/bin/"+program):
			return exact.Yes
		case r.Program.Path != nil && MayBeNamed(*r.Program.Path, program):
			answer = exact.Unknown
		}
	}
	return answer
}

// MayBeNamed tells whether a path glob matches a file of a name.
func MayBeNamed(p glob.Pattern, name string) bool {
	any, err := glob.FilePath("**/" + strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name))
	if err != nil {
		return true
	}
	v, _ := exact.PathsIntersect(p, any)
	return v != exact.No
}

// seconds compares what may stand in argv[0] beside the program's own name: the
// arguments that a name's patterns allow, whoever may write the file.
func (x *commands) seconds() {
	if !x.from.Exec.Restricted || !x.to.Exec.Restricted || !x.enforces(x.from) || !x.enforces(x.to) {
		return
	}
	for _, f := range x.families {
		g := [2]grant{}
		for i, r := range x.rules {
			if r.Program.Path == nil && r.Program.Name == f.name {
				side := 0
				if i >= x.first {
					side = 1
				}
				g[side].rules = append(g[side].rules, i)
			}
		}
		for d, pair := range map[Direction][2]grant{Widens: {g[0], g[1]}, Narrows: {g[1], g[0]}} {
			if x.differ[d][f.name] || len(pair[1].rules) == 0 {
				continue
			}
			if found := x.arguments(pair[0], pair[1]); len(found.words) > 0 || !found.whole {
				x.doubt(fmt.Sprintf("what may run under %s as its argv[0] may change", f.name), d)
			}
		}
	}
}
