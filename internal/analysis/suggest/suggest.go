package suggest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/schemas"
)

// Options bound the risk of what is suggested.
type Options struct {
	// Generalise replaces a segment of a path by * where so many different values
	// were seen; 0 never does.
	Generalise int
	// Hosts replaces the first label of hosts by * where so many different ones
	// were seen under one owner's domain; 0 never does.
	Hosts int
}

// Refused is a denial that no rule is suggested for.
type Refused struct {
	Ask   string       `json:"ask"`
	Code  schemas.Code `json:"code"`
	Rule  string       `json:"rule"`
	Why   string       `json:"why"`
	Count int          `json:"count"`
}

// Suggestion is what to add.
type Suggestion struct {
	replay.Summary
	Denied   int                   `json:"denied"` // records that are denied now, or only pass by mode audit
	Covered  int                   `json:"covered"`
	Requests []schemas.NetworkRule `json:"outbound,omitempty"`
	Writable []string              `json:"writable,omitempty"`
	Readonly []string              `json:"readonly,omitempty"`
	Commands []string              `json:"allowed_commands,omitempty"`
	Refused  []*Refused            `json:"refused"`
	// Used are the ids of the rules that allowed something, with the records.
	Used map[string]int `json:"-"`

	asked []question
}

// question is a denial that the suggestion is to allow.
type question struct {
	*replay.Question
	count int
}

// Empty tells whether there is nothing to add.
func (s *Suggestion) Empty() bool {
	return len(s.Requests)+len(s.Writable)+len(s.Readonly)+len(s.Commands) == 0
}

// collector gathers what is denied.
type collector struct {
	*Suggestion
	ctx      context.Context
	plan     *plan.Policy
	target   replay.Target
	network  requests
	writable tree
	readonly tree
	commands map[string]bool
	refused  map[Refused]*Refused
}

// From reads events and suggests what to add to the policy that target finds.
func From(ctx context.Context, events iter.Seq2[*query.Event, error], target replay.Target, p *plan.Policy, o Options) (*Suggestion, error) {
	c := &collector{
		Suggestion: &Suggestion{Refused: []*Refused{}, Used: map[string]int{}}, ctx: ctx, plan: p, target: target,
		network: requests{}, commands: map[string]bool{}, refused: map[Refused]*Refused{},
	}
	sum, err := replay.Ask(ctx, events, target, c.one)
	if err != nil {
		return nil, err
	}
	c.Summary = *sum
	c.Requests = c.network.rules(o)
	c.writable.generalise(o.Generalise, 1)
	c.readonly.generalise(o.Generalise, 1)
	c.Writable, c.Readonly = c.writable.paths(""), c.readonly.paths("")
	c.Commands = slices.Sorted(maps.Keys(c.commands))
	c.settle()
	return c.Suggestion, nil
}

// settle orders what was refused, the most frequent first.
func (c *collector) settle() {
	c.Refused = slices.SortedFunc(maps.Values(c.refused), func(a, b *Refused) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), strings.Compare(a.Ask, b.Ask), strings.Compare(a.Why, b.Why))
	})
}

func (c *collector) one(q *replay.Question, d *schemas.Decision) {
	n := 0
	for i := range q.Asked {
		n += q.Asked[i].Count
	}
	c.Used[strings.TrimPrefix(d.Rule, c.plan.Name+"/")] += n // as policies that extend it call its rules
	if d.Allow {
		return
	}
	c.Denied += n
	if why := c.take(q, d); why != "" {
		c.refuse(q, d, why, n)
		return
	}
	c.asked = append(c.asked, question{q, n})
}

func (c *collector) refuse(q *replay.Question, d *schemas.Decision, why string, n int) {
	r := Refused{Ask: q.Text(), Code: d.Code, Rule: d.Rule, Why: why}
	if c.refused[r] == nil {
		one := r
		c.refused[r] = &one
	}
	c.refused[r].Count += n
}

// take adds a denial to what is suggested, or says why it does not.
func (c *collector) take(q *replay.Question, d *schemas.Decision) string {
	switch {
	case d.Rule == schemas.RuleSensitive:
		return "well-known secrets stay blocked"
	case strings.HasPrefix(d.Rule, "extension."):
		return "an extension denies it, whatever the rules say"
	}
	switch in := &q.Input; {
	case in.Network != nil:
		if why := refuseRequest(q, d); why != "" {
			return why
		}
		c.network.add(in.Network)
	case in.File != nil:
		return c.takeFile(in.File, d)
	case in.Exec != nil:
		return c.takeCommands(q, d)
	}
	return ""
}

func (c *collector) takeFile(f *schemas.FileInput, d *schemas.Decision) string {
	list := &c.readonly
	switch {
	case d.Code == schemas.CodeNotWritable && d.Rule == schemas.RuleDefault:
		list = &c.writable
	case d.Code == schemas.CodeNotWritable:
		return "readonly wins over writable: make it narrower by hand"
	case d.Code == schemas.CodeBlockedPath:
		return "what is blocked wins over everything that allows"
	case d.Code != schemas.CodeNotReadable:
		return "denied as " + string(d.Code)
	}
	paths := []string{f.Path}
	if f.Target != nil {
		paths = append(paths, f.Target.Path)
	}
	for _, p := range paths {
		if !strings.HasPrefix(p, "/") || p == "/" {
			return "the root folder itself"
		}
		list.add(strings.Split(analysis.LiteralGlob(p), "/")[1:])
	}
	return ""
}

// takeCommands adds, as they were run, the commands that nothing allows.
func (c *collector) takeCommands(q *replay.Question, d *schemas.Decision) string {
	in := &q.Input
	switch d.Code {
	case schemas.CodeCommandNotAllowed:
	case schemas.CodeBlockedCommand:
		return "what is blocked wins over everything that allows"
	case schemas.CodeUntrustedProgram:
		return "the sandbox itself can change the program: install it where that is not writable"
	default:
		return "denied as " + string(d.Code)
	}
	if in.Exec.Opaque || slices.ContainsFunc(in.Exec.Commands, unknown) {
		return "a part of the command is not known before it runs, or is no text"
	}
	e, _, ok, err := c.target(q.Asks())
	if err != nil || !ok {
		return "its policy cannot be asked again"
	}
	var found []string
	for i, one := range in.Exec.Commands {
		alone, exec := *in, *in.Exec
		one.Upstream, exec.EntryPoint = []int{}, exec.EntryPoint && i == 0
		exec.Commands, alone.Exec = []schemas.Command{one}, &exec
		if e.Decide(c.ctx, &alone).Allow {
			continue
		}
		words := []string{cmp.Or(one.Named, one.Program)}
		for _, a := range one.Args {
			words = append(words, analysis.ShellWord(a))
		}
		found = append(found, strings.Join(words, " "))
	}
	if len(found) == 0 {
		return "none of its commands is denied by itself"
	}
	for _, text := range found {
		c.commands[text] = true
	}
	return ""
}

// unknown tells whether a part of a command is only known when it runs, or is no
// text: these stand as \? and \xHH in the arguments, where a backslash itself is
// doubled.
func unknown(c schemas.Command) bool {
	for _, a := range c.Args {
		if strings.Contains(strings.ReplaceAll(a, `\\`, ""), `\`) {
			return true
		}
	}
	return false
}

// Apply returns the policy with what is suggested.
func (s *Suggestion) Apply(doc *parse.Document, p *plan.Policy) (*mutate.Mutant, error) {
	return mutate.Change(doc, func(spec *schemas.Spec) {
		if len(s.Requests) > 0 {
			if spec.Network == nil {
				spec.Network = &schemas.Network{}
			}
			spec.Network.Outbound = append(spec.Network.Outbound, s.Requests...)
		}
		if len(s.Writable)+len(s.Readonly) > 0 {
			if spec.Filesystem == nil {
				spec.Filesystem = &schemas.Filesystem{Writable: defaults(p)}
			}
			spec.Filesystem.Writable = extended(spec.Filesystem.Writable, s.Writable)
			spec.Filesystem.Readonly = extended(spec.Filesystem.Readonly, s.Readonly)
		}
		if len(s.Commands) > 0 {
			if spec.Execution == nil {
				spec.Execution = &schemas.Execution{}
			}
			var list []string
			if spec.Execution.AllowedCommands != nil {
				list = *spec.Execution.AllowedCommands
			}
			list = extended(list, s.Commands)
			spec.Execution.AllowedCommands = &list
		}
	})
}

// defaults are the writable paths that a policy without a clause for files has,
// and loses by having one.
func defaults(p *plan.Policy) []string {
	var out []string
	for _, r := range p.File.Writable {
		if r.ID == schemas.RuleDefault {
			out = append(out, r.Text)
		}
	}
	return out
}

func extended(list, more []string) []string {
	out := slices.Clone(list)
	for _, s := range more {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Check decides what was denied by the changed policy: what is not allowed even so
// is refused, with the reason.
func (s *Suggestion) Check(ctx context.Context, e replay.Evaluator, name string) {
	c := &collector{Suggestion: s, refused: map[Refused]*Refused{}}
	for _, r := range s.Refused {
		c.refused[*r] = r
	}
	for _, q := range s.asked {
		d := q.Decide(ctx, e, name)
		if d.Allow {
			s.Covered += q.count
			continue
		}
		c.refuse(q.Question, &d, fmt.Sprintf("a rule for it is not enough: %s", d.Message), q.count)
	}
	c.settle()
}
