package diff

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// files compares what operations on files pass. An operation on one path stands
// for all: one on two paths passes where both sides do, and a path that is asked
// for through a link must not be blocked under either name.
type files struct {
	*comparison
	*tally
	seen map[string]int // changes by key
}

// operation is an example of a class of operations.
type operation struct {
	op        schemas.FileOp
	path      string
	lexical   string
	home      string
	unusual   bool
	direction Direction
}

func (c *comparison) files(ctx context.Context) (Surface, error) {
	f := &files{comparison: c, tally: newTally(SurfaceFiles), seen: map[string]int{}}
	if c.from.Mode == c.to.Mode && slices.Equal(fileTexts(&c.from.File), fileTexts(&c.to.File)) {
		return f.finish(), nil
	}
	cells, whole := exact.FileCells(c.budget*2, []*plan.File{&c.from.File, &c.to.File}, nil)
	if !whole {
		f.doubt("the path patterns make too many classes to look at each", Widens, Narrows)
	}
	for i := range cells {
		if err := f.cell(ctx, &cells[i]); err != nil {
			return f.Surface, err
		}
	}
	if err := f.links(ctx, cells); err != nil {
		return f.Surface, err
	}
	return f.finish(), nil
}

// passes tells whether an operation passes at paths that the lists view so.
func passes(p *plan.Policy, op schemas.FileOp, at, lexical exact.FileView, home bool) bool {
	sensitive := at.Sensitive || lexical.Sensitive || home && (at.AtHome || lexical.AtHome)
	if sensitive {
		return false
	}
	if p.Mode == schemas.ModeAudit {
		return true
	}
	if at.Blocked || lexical.Blocked {
		return false
	}
	if op == schemas.OpRead {
		return at.Writable || at.Readonly || at.Baseline
	}
	return at.Writable && !at.Readonly
}

// FilePasses tells whether reading or writing passes at a path that the lists of a
// policy view so, with the sandbox's home elsewhere or above.
func FilePasses(p *plan.Policy, op schemas.FileOp, at exact.FileView, home bool) bool {
	return passes(p, op, at, at, home)
}

var fileOps = []schemas.FileOp{schemas.OpRead, schemas.OpWrite}

// cell compares reading and writing at one class of paths, with the sandbox's
// home elsewhere and above.
func (f *files) cell(ctx context.Context, c *exact.FileCell) error {
	for _, op := range fileOps {
		was, is := passes(f.from, op, c.Views[0], c.Views[0], false), passes(f.to, op, c.Views[1], c.Views[1], false)
		o := operation{op: op, path: c.Path, lexical: c.Path, unusual: c.Unusual, direction: direction(is)}
		if was != is {
			if err := f.note(ctx, o, ""); err != nil {
				return err
			}
		}
		if !c.Views[0].AtHome && !c.Views[1].AtHome {
			continue
		}
		wasHome, isHome := passes(f.from, op, c.Views[0], c.Views[0], true), passes(f.to, op, c.Views[1], c.Views[1], true)
		if wasHome != isHome && !(was != is && is == isHome) {
			o.direction, o.home = direction(isHome), HomeOf(c.Path, f.from, f.to)
			if err := f.note(ctx, o, " with home "+o.home); err != nil {
				return err
			}
		}
	}
	return nil
}

// HomeOf is a directory under which a path is a well-known secret of one of the
// policies.
func HomeOf(p string, policies ...*plan.Policy) string {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		for _, policy := range policies {
			if slices.ContainsFunc(policy.File.SensitiveHome, func(r plan.PathRule) bool {
				return exact.MatchesFile(exact.AndBelow(r.Glob), strings.TrimPrefix(p, dir))
			}) {
				return dir
			}
		}
	}
	return ""
}

// links compares what is asked for through a link: only whether the other name is
// blocked matters.
func (f *files) links(ctx context.Context, cells []exact.FileCell) error {
	profiles := map[[2]exact.FileView]exact.FileCell{}
	var order [][2]exact.FileView
	for _, c := range cells {
		key := [2]exact.FileView{c.Views[0], c.Views[1]}
		if _, known := profiles[key]; !known {
			profiles[key] = c
			order = append(order, key)
		}
	}
	for _, lexical := range order {
		if lexical[0].Barred() == lexical[1].Barred() && lexical[0].Sensitive == lexical[1].Sensitive {
			continue
		}
		for _, at := range order {
			if err := f.link(ctx, profiles[at], profiles[lexical]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *files) link(ctx context.Context, at, lexical exact.FileCell) error {
	for _, op := range fileOps {
		was, is := passes(f.from, op, at.Views[0], lexical.Views[0], false), passes(f.to, op, at.Views[1], lexical.Views[1], false)
		if was == is {
			continue
		}
		alone := [2]bool{passes(f.from, op, at.Views[0], at.Views[0], false), passes(f.to, op, at.Views[1], at.Views[1], false)}
		if alone[0] != alone[1] && alone[1] == is {
			continue // reported without the link
		}
		o := operation{op: op, path: at.Path, lexical: lexical.Path, unusual: at.Unusual || lexical.Unusual, direction: direction(is)}
		if err := f.note(ctx, o, " through a link"); err != nil {
			return err
		}
	}
	return nil
}

// note decides an example by both policies, and reports the first of those that
// the same rules decide.
func (f *files) note(ctx context.Context, o operation, how string) error {
	in := schemas.DecisionInput{Kind: schemas.KindFile, Sandbox: schemas.Sandbox{Home: o.home}}
	file, err := canon.FileOperation(o.op, o.path, "")
	if err != nil {
		f.doubt(fmt.Sprintf("no example shows whether %s %q changes", o.op, o.path), o.direction)
		return nil
	}
	file.Lexical = canon.Escape(o.lexical)
	in.File = file
	text := fmt.Sprintf("%s %s", o.op, file.Path)
	if o.lexical != o.path {
		text += " asked for as " + file.Lexical
	} else {
		text += how
	}
	parts, err := f.decide(ctx, in, text, o.direction)
	if err != nil {
		if o.unusual || f.extended {
			f.doubt("no example shows whether "+text+" changes", o.direction)
			return nil
		}
		return err
	}
	if o.lexical != o.path && f.shown(o.direction, parts) {
		return nil
	}
	change := Change{Surface: SurfaceFiles, Direction: o.direction, Example: text, Before: parts[0], After: parts[1], weight: len(text), Input: &in}
	change.Class = f.class(o, parts, how)
	key := fmt.Sprint(o.direction, o.op, how, parts[0].Code, parts[0].Rule, parts[1].Code, parts[1].Rule)
	if o.lexical != o.path { // only the name that is blocked matters
		change.Class = "what is asked for through a link in " + f.barring(o, parts)
		key = fmt.Sprint(o.direction, how, change.Class)
	}
	if at, known := f.seen[key]; known {
		if f.Changes[at].weight > change.weight {
			f.Changes[at] = change
		}
		return nil
	}
	f.seen[key] = len(f.Changes)
	f.Changes = append(f.Changes, change)
	return nil
}

// shown tells whether a change without a link is reported that the same blocking
// entry brings about.
func (f *files) shown(d Direction, parts [2]Part) bool {
	return slices.ContainsFunc(f.Changes, func(c Change) bool {
		for i, p := range []Part{c.Before, c.After} {
			if c.Direction == d && p.Code == schemas.CodeBlockedPath && parts[i].Code == p.Code && parts[i].Rule == p.Rule {
				return true
			}
		}
		return false
	})
}

// class names what the rule that allows the operation covers, and which entry
// blocks it on the other side.
func (f *files) class(o operation, parts [2]Part, how string) string {
	gains, policy := parts[0], f.from
	if o.direction == Widens {
		gains, policy = parts[1], f.to
	}
	out := fmt.Sprintf("%s %s", o.op, gains.Rule)
	for _, list := range [][]plan.PathRule{policy.File.Writable, policy.File.Readonly} {
		for _, r := range list {
			if r.ID == gains.Rule && gains.Allow && exact.MatchesFile(r.Glob, o.path) {
				out = string(o.op) + " " + r.Text
			}
		}
	}
	if by := f.barring(o, parts); by != "" {
		out += " in " + by
	}
	return out + how
}

// barring is the text of the entry that blocks the operation on one side.
func (f *files) barring(o operation, parts [2]Part) string {
	for i, policy := range []*plan.Policy{f.from, f.to} {
		if parts[i].Code != schemas.CodeBlockedPath {
			continue
		}
		for _, list := range [][]plan.PathRule{policy.File.Blocked, policy.File.Sensitive} {
			for _, r := range list {
				below := exact.AndBelow(r.Glob)
				if r.ID == parts[i].Rule && (exact.MatchesFile(below, o.path) || exact.MatchesFile(below, o.lexical)) {
					return r.Text
				}
			}
		}
	}
	return ""
}

// decide asks both policies, and checks that they differ as expected.
func (c *comparison) decide(ctx context.Context, in schemas.DecisionInput, text string, want Direction) ([2]Part, error) {
	var parts [2]Part
	if c.evaluators[0] == nil {
		return parts, nil
	}
	var decisions [2]schemas.Decision
	for i, policy := range []string{c.from.Name, c.to.Name} {
		asked := in
		asked.Policy = policy
		decisions[i] = c.evaluators[i].Decide(ctx, &asked)
		parts[i] = part(&decisions[i], decisions[i].Passes())
	}
	if parts[0].Passes == parts[1].Passes || parts[1].Passes != (want == Widens) {
		return parts, &Mismatch{text, decisions[0], decisions[1], want}
	}
	return parts, nil
}
