package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// Mask takes secrets out of a record before it is written: every query value,
// and whatever the secret table knows in paths, query keys, arguments and
// messages. Masked lists the JSON pointers of what was replaced. The input that
// was decided on is not changed: the record gets a copy.
func Mask(r *schemas.Record) {
	m := masker{seen: r.Masked}
	if r.Input != nil {
		r.Input = m.input(r.Input)
	}
	if r.Result != nil {
		d := *r.Result
		d.Message = m.text("/result/message", d.Message)
		d.Hint = m.text("/result/hint", d.Hint)
		r.Result = &d
	}
	if r.Custom.Outcome != nil {
		o := *r.Custom.Outcome
		o.Error = m.text("/custom/outcome/error", o.Error)
		r.Custom.Outcome = &o
	}
	r.Masked = m.seen
}

type masker struct{ seen []string }

func (m *masker) note(pointer string) {
	if !slices.Contains(m.seen, pointer) {
		m.seen = append(m.seen, pointer)
	}
}

func (m *masker) text(pointer, s string) string {
	masked := MaskText(s)
	if masked != s {
		m.note(pointer)
	}
	return masked
}

// list masks each element and copies the list only where one changed.
func (m *masker) list(pointer string, in []string) []string {
	out := in
	for i, s := range in {
		masked := m.text(pointer+"/"+strconv.Itoa(i), s)
		if masked == s {
			continue
		}
		if &out[0] == &in[0] {
			out = slices.Clone(in)
		}
		out[i] = masked
	}
	return out
}

func (m *masker) input(in *schemas.DecisionInput) *schemas.DecisionInput {
	c := *in
	if in.Network != nil {
		c.Network = m.network(in.Network)
	}
	if in.File != nil {
		c.File = m.file(in.File)
	}
	if in.Exec != nil {
		c.Exec = m.exec(in.Exec)
	}
	return &c
}

func (m *masker) network(in *schemas.NetworkInput) *schemas.NetworkInput {
	const at = "/input/network"
	n := *in
	n.Query = m.query(at+"/query", in.Query)
	if mayHoldSecret(in.Path) {
		n.Path = m.text(at+"/path", in.Path)
		n.Dir = m.text(at+"/dir", in.Dir)
		n.Segments = m.list(at+"/segments", in.Segments)
		n.Folded = m.form(at+"/folded", in.Folded)
		n.Split = m.form(at+"/split", in.Split)
	}
	n.Binary = m.text(at+"/binary", in.Binary)
	n.Ancestors = m.list(at+"/ancestors", in.Ancestors)
	return &n
}

func (m *masker) form(at string, f schemas.PathForm) schemas.PathForm {
	f.Path = m.text(at+"/path", f.Path)
	f.Dir = m.text(at+"/dir", f.Dir)
	f.Segments = m.list(at+"/segments", f.Segments)
	return f
}

// query masks every value, whatever it looks like.
func (m *masker) query(at string, in map[string][]string) map[string][]string {
	if len(in) == 0 {
		return in
	}
	out := make(map[string][]string, len(in))
	for key, values := range in {
		name := MaskText(key)
		masked := out[name]
		for range values {
			masked = append(masked, Masked)
		}
		out[name] = masked
	}
	given := m.seen // a sandbox chooses how many keys there are: no search for each
	for name := range out {
		if p := at + "/" + pointerToken(name); !slices.Contains(given, p) {
			m.seen = append(m.seen, p)
		}
	}
	slices.Sort(m.seen)
	return out
}

// pointerToken escapes a member name for a JSON pointer (RFC 6901, section 3).
func pointerToken(s string) string { return pointerEscapes.Replace(s) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (m *masker) file(in *schemas.FileInput) *schemas.FileInput {
	f := *in
	f.Path = m.text("/input/file/path", in.Path)
	f.Lexical = m.text("/input/file/lexical", in.Lexical)
	if in.Target != nil {
		t := *in.Target
		t.Path = m.text("/input/file/target/path", t.Path)
		t.Lexical = m.text("/input/file/target/lexical", t.Lexical)
		f.Target = &t
	}
	return &f
}

func (m *masker) exec(in *schemas.ExecInput) *schemas.ExecInput {
	e := *in
	e.Commands = slices.Clone(in.Commands)
	for i := range e.Commands {
		c := &e.Commands[i]
		at := "/input/exec/commands/" + strconv.Itoa(i)
		c.Args = m.list(at+"/args", c.Args)
		c.Options = m.list(at+"/options", c.Options)
		c.Operand = m.list(at+"/operands", c.Operand)
		c.Line = m.text(at+"/line", c.Line)
		c.Path = m.text(at+"/path", c.Path)
		c.Cwd = m.text(at+"/cwd", c.Cwd)
	}
	return &e
}
