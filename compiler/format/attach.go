package format

import (
	"strings"
)

// note is a comment, or a blank line between others.
type note struct {
	line, col int    // col in characters
	offset    int    // of "#"
	text      string // with "#"; "" for a blank line
	own       bool   // nothing stands before it on its line
}

// attach gives every comment and every blank line between entries to the entry
// that it is about.
func (b *builder) attach(root *value, notes []note) error {
	var run []note
	for _, n := range notes {
		if !n.own {
			continue
		}
		if len(run) > 0 && b.between(run[len(run)-1].line, n.line) {
			b.above(root, run)
			run = nil
		}
		run = append(run, n)
	}
	if len(run) > 0 {
		b.above(root, run)
	}
	for i := 0; i < len(notes); i++ {
		if notes[i].own {
			continue
		}
		if err := b.behind(root, &notes[i]); err != nil {
			return err
		}
	}
	return nil
}

// between tells whether an entry begins between two lines.
func (b *builder) between(first, last int) bool {
	for _, e := range b.entries {
		if first < e.line && e.line < last {
			return true
		}
	}
	return false
}

// behind attaches a comment that ends a line to what stands before it.
func (b *builder) behind(root *value, n *note) error {
	var best *token
	for i := range b.tokens {
		t := &b.tokens[i]
		if t.line == n.line && t.offset < n.offset && (best == nil || t.offset >= best.offset) {
			best = t
		}
	}
	if best == nil {
		return b.refuse(n.line, "it cannot be told what the comment belongs to")
	}
	e := shown(best.entry)
	dash := e.key == nil && len(e.value.entries) > 0 && !flow(e.value.node)
	if e.note != "" || dash {
		e.head = append(e.head, n.text)
		return nil
	}
	e.note = n.text
	return nil
}

// shown is the entry that is printed on a line of its own: one inside a list or
// mapping of one line is printed with it.
func shown(e *entry) *entry {
	for in := e.in; in != nil; {
		if flow(in.node) && in.line == in.endLine && in.owner != nil {
			e = in.owner
		}
		if in.owner == nil {
			break
		}
		in = in.owner.in
	}
	return e
}

// above attaches lines of comments to the entry below them, or to the end of the
// list or mapping that they are indented with.
func (b *builder) above(root *value, run []note) {
	next := b.after(run[0].line)
	prev := b.before(run[0].line)
	for len(run) > 0 {
		foot := b.footOf(root, prev, next, told(run))
		if foot == nil {
			break
		}
		foot.foot = append(foot.foot, run[0].text)
		run = run[1:]
	}
	if next == nil {
		for _, n := range run {
			root.foot = append(root.foot, n.text)
		}
		return
	}
	for _, n := range run {
		next.head = append(next.head, n.text)
	}
}

// told is the first comment of some lines: blank ones belong with what follows.
func told(run []note) *note {
	for i := range run {
		if run[i].text != "" {
			return &run[i]
		}
	}
	return &run[0]
}

func (b *builder) after(line int) *entry {
	for _, e := range b.entries {
		if e.line > line {
			return e
		}
	}
	return nil
}

func (b *builder) before(line int) *entry {
	var prev *entry
	for _, e := range b.entries {
		if e.line < line {
			prev = e
		}
	}
	return prev
}

// footOf is the list or mapping that ends before a comment and is indented no
// further; nil if the comment belongs to what follows.
func (b *builder) footOf(root *value, prev, next *entry, n *note) *value {
	if prev == nil {
		return nil
	}
	chain := ancestors(prev)
	for _, v := range chain {
		open := next != nil && v.start <= next.start && next.start < v.end || v == root && next != nil
		inside := flow(v.node) && v.start < n.offset && n.offset < v.end
		switch {
		case open:
			return nil
		case inside:
			return v
		case flow(v.node) && v.end < n.offset:
			continue
		case n.text == "":
			return nil
		case v.col <= n.col && (next == nil || n.col > next.col):
			return v
		}
	}
	return nil
}

// ancestors lists the collections that hold an entry, the innermost first.
func ancestors(e *entry) []*value {
	var out []*value
	for in := e.in; in != nil; {
		out = append(out, in)
		if in.owner == nil {
			break
		}
		in = in.owner.in
	}
	return out
}

// commented tells whether something is written about a part of a value, which then
// needs lines of its own.
func commented(v *value) bool {
	if len(v.foot) > 0 {
		return true
	}
	for _, e := range v.entries {
		if e.note != "" || strings.Join(e.head, "") != "" || commented(e.value) {
			return true
		}
	}
	return false
}
