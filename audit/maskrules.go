package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// maskable are the members below /input that rules may name, and that go when
// the rules cannot be evaluated.
var maskable = []string{
	"/input/network/path", "/input/network/query", "/input/network/binary", "/input/network/ancestors",
	"/input/file/path", "/input/file/lexical", "/input/file/target",
	"/input/exec/commands", "/input/exec/parent", "/input/exec/env_denied",
}

// applyRules changes the record as data.system.log.mask says.
func applyRules(ctx context.Context, r *schemas.Record, rules MaskRules) error {
	ops, err := rules.Masks(ctx, r)
	if err != nil {
		err = fmt.Errorf("mask rules: %w", err)
		ops = removeAll()
	}
	if len(ops) == 0 {
		return err
	}
	before := r.Input
	edit, editErr := newEdit(before)
	if editErr == nil {
		editErr = edit.apply(ops)
	}
	var after *schemas.DecisionInput
	if editErr == nil {
		after, editErr = edit.input()
	}
	if editErr != nil { // a value of the wrong type: better nothing than something
		err = fmt.Errorf("mask rules: %w", editErr)
		edit, _ = newEdit(before)
		_ = edit.apply(removeAll())
		if after, editErr = edit.input(); editErr != nil {
			after = &schemas.DecisionInput{Kind: before.Kind, Policy: before.Policy, Sandbox: before.Sandbox}
		}
	}
	settle(before, after, edit)
	r.Input = after
	r.Erased, r.Masked = union(r.Erased, edit.erased), union(r.Masked, edit.masked)
	if len(edit.erased)+len(edit.masked) > 0 {
		rewordResult(r)
	}
	return err
}

func removeAll() []schemas.MaskOp {
	var ops []schemas.MaskOp
	for _, p := range maskable {
		ops = append(ops, schemas.MaskOp{Op: schemas.MaskRemove, Path: p})
	}
	return ops
}

func union(a, b []string) []string {
	out := append(slices.Clip(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// edit is an input as JSON that rules change.
type edit struct {
	doc            map[string]any
	erased, masked []string
}

func newEdit(in *schemas.DecisionInput) (*edit, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	e := &edit{}
	return e, json.Unmarshal(data, &e.doc)
}

func (e *edit) input() (*schemas.DecisionInput, error) {
	data, err := json.Marshal(e.doc)
	if err != nil {
		return nil, err
	}
	out := new(schemas.DecisionInput)
	return out, json.Unmarshal(data, out)
}

func (e *edit) apply(ops []schemas.MaskOp) error {
	slices.SortStableFunc(ops, func(a, b schemas.MaskOp) int { return strings.Compare(a.Path, b.Path) })
	for _, op := range ops {
		if op.Op != schemas.MaskRemove && op.Op != schemas.MaskUpsert {
			return fmt.Errorf("unknown operation %q", op.Op)
		}
		for _, pointer := range reach(op.Path) {
			if pointer != op.Path {
				op.Op = schemas.MaskRemove // a part of what the rule names
			}
			e.change(op, pointer)
		}
	}
	return nil
}

// reach lists the pointers that a rule for one changes: itself, or what may be
// masked below it where a part must stay.
func reach(pointer string) []string {
	if !schemas.MaskProtected(pointer) {
		return []string{pointer}
	}
	var out []string
	for _, p := range maskable {
		if strings.HasPrefix(p, pointer+"/") {
			out = append(out, p)
		}
	}
	return out
}

// change removes or replaces one value; what is not there stays so, as in OPA.
func (e *edit) change(op schemas.MaskOp, pointer string) {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/input/"), "/")
	var at any = e.doc
	for i, t := range tokens {
		last := i == len(tokens)-1
		switch node := at.(type) {
		case map[string]any:
			key := strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
			child, ok := node[key]
			if !ok && (!last || op.Op == schemas.MaskRemove) {
				return
			}
			if !last {
				at = child
				continue
			}
			if op.Op == schemas.MaskRemove {
				delete(node, key)
				e.erased = append(e.erased, pointer)
				return
			}
			node[key] = op.Value
		case []any:
			n, err := strconv.Atoi(t)
			if err != nil || n < 0 || n >= len(node) {
				return
			}
			if !last {
				at = node[n]
				continue
			}
			if node[n] = op.Value; op.Op == schemas.MaskRemove {
				node[n] = Masked // the others keep their places
			}
		default:
			return
		}
	}
	e.masked = append(e.masked, pointer)
}

// settle makes what is derived from a changed value again, so that no other
// field keeps it.
func settle(before, after *schemas.DecisionInput, e *edit) {
	if a, b := after.Network, before.Network; a != nil && b != nil {
		if !samePath(a, b) {
			if a.Path == b.Path { // a form of it was masked
				a.Path = Masked
			}
			setPath(a)
			for _, name := range pathFields {
				e.masked = append(e.masked, networkAt+"/"+name)
			}
		}
	}
	if after.File != nil && before.File != nil {
		settleFile(before.File, after.File, e)
	}
	if after.Exec != nil && before.Exec != nil {
		settleExec(before.Exec, after.Exec, e)
	}
}

func samePath(a, b *schemas.NetworkInput) bool {
	return a.Path == b.Path && a.Dir == b.Dir && slices.Equal(a.Segments, b.Segments) && sameForm(a.Folded, b.Folded) && sameForm(a.Split, b.Split)
}

func sameForm(a, b schemas.PathForm) bool {
	return a.Path == b.Path && a.Dir == b.Dir && slices.Equal(a.Segments, b.Segments)
}

// settleFile: the path as asked for and as resolved are one secret.
func settleFile(before, after *schemas.FileInput, e *edit) {
	if after.Path != before.Path || after.Lexical != before.Lexical {
		hidePair(&after.Path, before.Path, &after.Lexical, before.Lexical)
		e.masked = append(e.masked, "/input/file/path", "/input/file/lexical")
	}
	a, b := after.Target, before.Target
	if a != nil && b != nil && (a.Path != b.Path || a.Lexical != b.Lexical) {
		hidePair(&a.Path, b.Path, &a.Lexical, b.Lexical)
		e.masked = append(e.masked, "/input/file/target/path", "/input/file/target/lexical")
	}
}

func hidePair(a *string, wasA string, b *string, wasB string) {
	if *a == wasA {
		*a = Masked
	}
	if *b == wasB {
		*b = Masked
	}
}

// settleExec replaces, in all commands, every argument that a rule took out of
// one, and makes the derived fields again.
func settleExec(before, after *schemas.ExecInput, e *edit) {
	if len(before.Commands) != len(after.Commands) {
		return // gone whole
	}
	m := &masker{}
	for i := range after.Commands {
		m.lost(&before.Commands[i], &after.Commands[i])
	}
	for i := range after.Commands {
		c, was := &after.Commands[i], before.Commands[i]
		was.Args = resized(was.Args, len(c.Args))
		m.command(c, &was, "/input/exec/commands/"+strconv.Itoa(i))
		if !slices.Equal(c.Args, before.Commands[i].Args) {
			setArguments(c)
		}
	}
	after.Parent = m.without(after.Parent)
	e.masked = append(e.masked, m.seen...)
}

func resized(list []string, n int) []string {
	out := make([]string, n)
	copy(out, list)
	return out
}

// lost notes the texts of a command that a rule took out. What is derived from
// the arguments stands for all of them.
func (m *masker) lost(before, after *schemas.Command) {
	if slices.Equal(before.Args, after.Args) && (before.Line != after.Line ||
		!slices.Equal(before.Options, after.Options) || !slices.Equal(before.Operand, after.Operand)) {
		after.Args = make([]string, len(before.Args))
		for i := range after.Args {
			after.Args[i] = Masked
		}
	}
	for i, arg := range before.Args {
		if i >= len(after.Args) || after.Args[i] != arg {
			m.drop(arg)
		}
	}
	for _, pair := range [][2]string{
		{before.Program, after.Program}, {before.Argv0, after.Argv0}, {before.Path, after.Path}, {before.Cwd, after.Cwd},
	} {
		if pair[0] != pair[1] {
			m.drop(pair[0])
			after.Names, after.Named, after.Looked, after.Second = []string{Masked}, Masked, Masked, ""
		}
	}
}

// drop makes a text vanish from every other; one that is too short would take
// others with it.
func (m *masker) drop(s string) {
	if len(s) >= 4 && s != Masked {
		m.gone = append(m.gone, s)
	}
}
