package diff

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/automata"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// commands compares what executions pass. Single commands are compared exactly as
// far as allowed patterns go: programs are classes of paths, by name, by the path
// globs of patterns and by whether the sandbox may write them, and arguments are
// an automaton for each. What blocked patterns, pipelines, helpers and a second
// argv[0] add is compared by structure, and each difference shown by an example
// or unknown.
type commands struct {
	*comparison
	*tally
	seen     map[string]bool
	rules    []*plan.CommandRule // of both policies, the earlier one's first
	first    int                 // of the later policy's rules
	families []family
	memo     map[string]arguments // of sets of rules
	looked   map[string]exact.FileView
	differ   map[Direction]map[string]bool
}

// family is a name that patterns or tables give to programs.
type family struct {
	name    string
	carrier bool
}

// tries bounds the examples that are decided for one difference.
const tries = 24

func (c *comparison) commands(ctx context.Context) (Surface, error) {
	x := &commands{comparison: c, tally: newTally(SurfaceCommands), seen: map[string]bool{}, memo: map[string]arguments{}, looked: map[string]exact.FileView{}}
	if c.from.Mode == schemas.ModeAudit && c.to.Mode == schemas.ModeAudit || x.alike() {
		return x.finish(), nil
	}
	for i := range c.from.Exec.Allowed {
		x.rules = append(x.rules, &c.from.Exec.Allowed[i])
	}
	x.first = len(x.rules)
	for i := range c.to.Exec.Allowed {
		x.rules = append(x.rules, &c.to.Exec.Allowed[i])
	}
	x.name()
	for _, step := range []func(context.Context) error{x.allowed, x.blocked, x.odds} {
		if err := step(ctx); err != nil {
			return x.Surface, err
		}
	}
	return x.finish(), nil
}

// alike tells whether both policies have the same patterns and the same files that
// can be written.
func (x *commands) alike() bool {
	a, b := &x.from.Exec, &x.to.Exec
	return x.from.Mode == x.to.Mode && a.Present == b.Present && a.Restricted == b.Restricted && a.Carriers == b.Carriers &&
		slices.Equal(commandTexts(a), commandTexts(b)) && slices.Equal(blockedTexts(a), blockedTexts(b)) &&
		slices.Equal(fileTexts(&x.from.File), fileTexts(&x.to.File))
}

func commandTexts(e *plan.Exec) []string {
	var out []string
	for i := range e.Allowed {
		out = append(out, commandText(&e.Allowed[i]))
	}
	return out
}

// commandText is the pattern as it was understood: a group gives many.
func commandText(r *plan.CommandRule) string {
	words := []string{r.Program.Name}
	if r.Program.Path != nil {
		words[0] = r.Program.Path.Source
	}
	for _, a := range r.Args {
		if a.Rest {
			words = append(words, "*")
			continue
		}
		words = append(words, a.Glob.Source)
	}
	return strings.Join(words, "\x00")
}

func blockedTexts(e *plan.Exec) []string {
	var out []string
	for _, r := range e.Blocked {
		out = append(out, r.Text)
	}
	return out
}

func fileTexts(f *plan.File) []string {
	var out []string
	for _, list := range [][]plan.PathRule{f.Blocked, f.Sensitive, f.SensitiveHome, f.Readonly, f.Writable, f.Baseline} {
		out = append(out, "list")
		for _, r := range list {
			out = append(out, r.Glob.Source)
		}
	}
	return out
}

// name lists the families that matter.
func (x *commands) name() {
	put := func(name string, carrier bool) {
		for i := range x.families {
			if x.families[i].name == name {
				x.families[i].carrier = x.families[i].carrier || carrier
				return
			}
		}
		x.families = append(x.families, family{name, carrier})
	}
	for _, r := range x.rules {
		if r.Program.Path == nil {
			put(r.Program.Name, false)
		}
	}
	for _, c := range tables.Carriers() {
		put(canon.Family(c), true)
	}
}

// program is a class of executables.
type program struct {
	path    string // an example
	family  int    // -1 none that matters
	globs   []int  // rules that match by their path
	loader  bool
	views   []exact.FileView
	unusual bool
}

// programs divides the paths of executables.
func (x *commands) programs() []program {
	loaders := len(x.rules) + len(x.families)
	from, to := changing(&x.from.File), changing(&x.to.File)
	cells, whole := exact.FileCells(x.budget*2, []*plan.File{from, to}, func(id func(int) int, g *automata.Graph) {
		for i, r := range x.rules {
			if r.Program.Path != nil {
				g.FilePath(*r.Program.Path, id(i))
			}
		}
		for i, f := range x.families {
			addFamily(g, f.name, id(len(x.rules)+i))
		}
		for _, l := range tables.Loaders() {
			if p, err := glob.FilePath(l); err == nil {
				g.FilePath(p, id(loaders))
			}
		}
	})
	if !whole {
		x.doubt("the path patterns make too many classes of programs to look at each", Widens, Narrows)
	}
	out := make([]program, 0, len(cells))
	for _, c := range cells {
		p := program{path: c.Path, family: -1, views: c.Views, unusual: c.Unusual}
		for _, id := range c.Also {
			switch {
			case id < len(x.rules):
				p.globs = append(p.globs, id)
			case id < loaders:
				p.family = id - len(x.rules)
			default:
				p.loader = true
			}
		}
		p.path = x.usual(p)
		out = append(out, p)
	}
	// The first example of a change is kept: what people run comes first.
	slices.SortStableFunc(out, func(a, b program) int { return unlikely(a.path) - unlikely(b.path) })
	return out
}

func unlikely(path string) int {
	if strings.HasPrefix(path, "/usr/bin/") {
		return 0
	}
	return 1
}

// changing are the lists that say whether the sandbox may write a file.
func changing(f *plan.File) *plan.File {
	return &plan.File{Blocked: f.Blocked, Sensitive: f.Sensitive, Readonly: f.Readonly, Writable: f.Writable}
}

func addFamily(g *automata.Graph, name string, id int) {
	g.Program(name, false, id)
	for _, f := range tables.Families() {
		if f.Name != name {
			continue
		}
		for _, n := range f.Names {
			g.Program(n, false, id)
		}
		for _, n := range f.Versioned {
			g.Program(n, true, id)
		}
	}
}

// usual is the program where people have it, if that is of the class.
func (x *commands) usual(p program) string {
	names := []string{"ls", "cat", "curl", "a"}
	if p.family >= 0 {
		names = []string{x.families[p.family].name}
	}
	for _, name := range names {
		if at := "/usr/bin/" + name; !p.loader && x.of(p, name, at) {
			return at
		}
	}
	return p.path
}

// of tells whether a path is of a class of programs.
func (x *commands) of(p program, name, at string) bool {
	if p.family < 0 && slices.ContainsFunc(x.families, func(f family) bool { return f.name == canon.Family(name) }) {
		return false
	}
	for i, r := range x.rules {
		if r.Program.Path != nil && exact.MatchesFile(*r.Program.Path, at) != slices.Contains(p.globs, i) {
			return false
		}
	}
	return x.look(0, at) == p.views[0] && x.look(1, at) == p.views[1]
}

// look looks one path up in the lists of one policy.
func (x *commands) look(side int, at string) exact.FileView {
	key := fmt.Sprint(side, at)
	v, known := x.looked[key]
	if !known {
		v = view(changing(&[]*plan.Policy{x.from, x.to}[side].File), at)
		x.looked[key] = v
	}
	return v
}

// view looks one path up.
func view(f *plan.File, at string) exact.FileView {
	hit := func(list []plan.PathRule, below bool) bool {
		return slices.ContainsFunc(list, func(r plan.PathRule) bool {
			if below {
				return exact.MatchesFile(exact.AndBelow(r.Glob), at)
			}
			return exact.MatchesFile(r.Glob, at)
		})
	}
	return exact.FileView{
		Blocked: hit(f.Blocked, true), Sensitive: hit(f.Sensitive, true),
		Readonly: hit(f.Readonly, false), Writable: hit(f.Writable, false), Baseline: hit(f.Baseline, false),
	}
}

// grant is what one policy lets a program do: everything, or what its rules say.
type grant struct {
	all   bool
	rules []int
}

// grant lists what allows a program under a policy, blocked patterns apart.
func (x *commands) grant(side int, p *program, hook bool) grant {
	policy := []*plan.Policy{x.from, x.to}[side]
	e := &policy.Exec
	changeable := p.views[side].Changeable()
	switch {
	case policy.Mode == schemas.ModeAudit || !e.Present:
		return grant{all: true}
	case p.loader:
		return grant{}
	case !e.Restricted:
		return grant{all: true}
	case p.family >= 0 && hook && x.families[p.family].carrier && e.Carriers && !e.None && !changeable:
		return grant{all: true}
	}
	var g grant
	for i, r := range x.rules {
		if i >= x.first != (side == 1) {
			continue
		}
		byName := r.Program.Path == nil && p.family >= 0 && r.Program.Name == x.families[p.family].name && !changeable
		if byName || slices.Contains(p.globs, i) {
			g.rules = append(g.rules, i)
		}
	}
	return g
}

// allowed compares what allowed patterns let run, with the kernel hook and
// without, where carriers are not allowed of themselves.
func (x *commands) allowed(ctx context.Context) error {
	x.differ = map[Direction]map[string]bool{Widens: {}, Narrows: {}}
	if open(x.from) && open(x.to) && x.from.Exec.Present == x.to.Exec.Present {
		return nil
	}
	programs := x.programs()
	for _, hook := range []bool{true, false} {
		for i := range programs {
			p := &programs[i]
			before, after := x.grant(0, p, hook), x.grant(1, p, hook)
			if err := x.grown(ctx, p, hook, Widens, before, after); err != nil {
				return err
			}
			if err := x.grown(ctx, p, hook, Narrows, after, before); err != nil {
				return err
			}
		}
	}
	return x.trust(ctx, programs)
}

// trust compares which files the sandbox may write: what a name stands for through
// links is trusted only where it cannot, whatever the file's own name, and so are
// helpers.
func (x *commands) trust(ctx context.Context, programs []program) error {
	for i := range programs {
		p := &programs[i]
		d := direction(!p.views[1].Changeable())
		if p.views[0].Changeable() == p.views[1].Changeable() || x.settled(d) == exact.Yes || open(x.from) && open(x.to) {
			continue
		}
		shown := false
		for _, r := range x.rules {
			if r.Program.Path != nil || shown {
				continue
			}
			words := Words(r)
			c := schemas.Command{Program: r.Program.Name, Path: p.path, Links: []string{"/usr/bin/" + r.Program.Name}}
			in, err := canon.CommandArgv(words, c, canon.Shell{Hook: true})
			if err != nil {
				continue
			}
			text := fmt.Sprintf("%s, a link to %s", quoted(words), p.path)
			if shown, err = x.show(ctx, in, text, "programs that the sandbox may write", d, false); err != nil {
				return err
			}
		}
		if !shown {
			x.doubt(fmt.Sprintf("the sandbox may write %s under one policy only; what runs from there may change", p.path), d)
		}
	}
	return ctx.Err()
}

// open tells whether a policy lets every program run that it does not block.
func open(p *plan.Policy) bool { return p.Mode == schemas.ModeAudit || !p.Exec.Restricted }

// grown looks for arguments that one grant has over another.
func (x *commands) grown(ctx context.Context, p *program, hook bool, d Direction, less, more grant) error {
	if less.all || !more.all && len(more.rules) == 0 {
		return nil
	}
	name := path.Base(p.path)
	if p.family >= 0 {
		name = x.families[p.family].name
	}
	key := fmt.Sprint(d, name, more.all, more.rules, less.rules, p.globs)
	if x.seen[key] || x.bare(d, p) {
		return nil
	}
	found := x.arguments(less, more)
	switch {
	case len(found.words) == 0 && found.whole:
		return nil
	case len(found.words) == 0:
		x.doubt(fmt.Sprintf("the patterns for %s make too many classes of arguments to look at each", name), d)
		return nil
	}
	x.seen[key] = true
	shown, tried := false, ""
	for _, args := range found.words {
		in, err := canon.CommandArgv(append([]string{name}, args...), schemas.Command{Program: named(p, name), Path: p.path}, canon.Shell{Hook: hook})
		if err != nil {
			continue
		}
		text := strings.TrimSpace(named(p, name) + " " + quoted(args))
		if shown, err = x.show(ctx, in, text, x.classOf(more), d, !hook); shown || err != nil {
			break
		}
		if tried == "" {
			tried = text
		}
	}
	if shown {
		x.differ[d][name] = true
		return nil
	}
	x.doubt(fmt.Sprintf("%s may run with other arguments than before, but every example, such as %q, is decided alike", name, tried), d)
	return nil
}

// named is the program as it is called.
func named(p *program, name string) string {
	if p.path == "/usr/bin/"+name {
		return name
	}
	return p.path
}

// bare tells whether every execution of the program is blocked in the policy that
// would have to let it pass.
func (x *commands) bare(d Direction, p *program) bool {
	policy := x.to
	if d == Narrows {
		policy = x.from
	}
	if policy.Mode == schemas.ModeAudit {
		return false
	}
	return slices.ContainsFunc(policy.Exec.Blocked, func(r plan.PipelineRule) bool {
		s := r.Stages[0]
		return len(r.Stages) == 1 && s.Sub == nil && len(s.Options)+len(s.Operands) == 0 &&
			(s.Program.Path == nil && s.Program.Name == canon.BlockedFamily(path.Base(p.path)))
	})
}

// arguments are lists that one grant has over another, and whether these are all
// kinds there are.
type arguments struct {
	words [][]string
	whole bool
}

func (x *commands) arguments(less, more grant) arguments {
	key := fmt.Sprint(less, more)
	if a, known := x.memo[key]; known {
		return a
	}
	if more.rules = slices.DeleteFunc(slices.Clone(more.rules), func(id int) bool { return x.held(id, less.rules) }); !more.all && len(more.rules) == 0 {
		x.memo[key] = arguments{whole: true}
		return x.memo[key]
	}
	g := automata.NewGraph()
	for _, id := range append(slices.Clone(less.rules), more.rules...) {
		g.Args(exact.Args(x.rules[id].Args), id)
	}
	var out arguments
	s := automata.Search{Domain: g.ArgLists(), Budget: x.budget, Need: more.rules}
	if more.all {
		s.Need = nil
	}
	odd := false
	s.Found = func(c automata.Class) bool {
		has := func(ids []int) bool {
			return slices.ContainsFunc(c.IDs, func(id int) bool { return slices.Contains(ids, id) })
		}
		if has(less.rules) || !more.all && !has(more.rules) {
			return true
		}
		if odd = odd || c.Unusual; !c.Unusual {
			out.words = append(out.words, exact.SplitArgs(c.Word))
		}
		return len(out.words) < tries
	}
	out.whole = g.Explore(s) && !(odd && len(out.words) == 0)
	x.memo[key] = out
	return out
}

// held tells whether one of the rules is the same, or takes any arguments.
func (x *commands) held(id int, by []int) bool {
	args := func(i int) string {
		_, rest, _ := strings.Cut(commandText(x.rules[i])+"\x00", "\x00")
		return rest
	}
	return slices.ContainsFunc(by, func(i int) bool { return args(i) == "*\x00" || args(i) == args(id) })
}

func (x *commands) classOf(g grant) string {
	if g.all {
		return "every command"
	}
	var out []string
	for _, id := range g.rules {
		add(&out, x.rules[id].Text)
	}
	return few(out)
}

func quoted(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if a == "" || strings.Trim(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@%+,") != "" {
			out[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}

// show decides an example by both policies and reports it if they differ.
func (x *commands) show(ctx context.Context, exec *schemas.ExecInput, text, class string, d Direction, noHook bool) (bool, error) {
	if x.evaluators[0] == nil {
		return false, ctx.Err()
	}
	in := schemas.DecisionInput{Kind: schemas.KindExec, Exec: exec}
	parts, err := x.decide(ctx, in, text, d)
	if err != nil {
		return false, ctx.Err()
	}
	if noHook {
		text += " without the kernel hook"
	}
	key := fmt.Sprint(d, class, parts[0].Rule, parts[0].Code, parts[1].Rule, parts[1].Code, noHook)
	if !x.seen[key] {
		x.seen[key] = true
		x.Changes = append(x.Changes, Change{
			Surface: SurfaceCommands, Direction: d, Class: class, Example: text,
			Before: parts[0], After: parts[1], weight: len(text), Input: &in,
		})
	}
	return true, nil
}
