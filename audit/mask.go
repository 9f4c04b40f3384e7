package audit

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// MaskRules is what the policies in force say about masking; a rego.Generation
// is one.
type MaskRules interface {
	// QueryShown tells whether a rule of the policy names the query key and one
	// of its globs for the key matches the value.
	QueryShown(policy, key, value string) bool
	// Masks evaluates data.system.log.mask over a record that the default rules
	// have masked.
	Masks(ctx context.Context, event any) ([]schemas.MaskOp, error)
}

// Mask is MaskRecord with the default rules alone.
func Mask(r *schemas.Record) { _ = MaskRecord(context.Background(), r, nil) }

// MaskRecord takes secrets out of a record before it is hashed and written: every
// query value but those that a rule of the policy names and matches, whatever
// MaskText and the table of secret options know in any other text, and what the
// mask rules name. Masked and Erased list the JSON pointers of what was replaced
// and removed; message, hint and errors are changed with it. The input that was
// decided on stays as it is: the record gets a copy where something changes.
//
// A record that is Clean is left alone, and every other is Clean afterwards: an
// enforcement point that answers with the message masks with the rules of the
// generation that decided, and the log, which masks whatever is not, does no more.
//
// An error says that the mask rules could not be evaluated; the record then holds
// nothing that a rule may name.
func MaskRecord(ctx context.Context, r *schemas.Record, rules MaskRules) error {
	if r.Clean {
		return nil
	}
	r.Clean = true
	m := masker{rules: rules, seen: r.Masked}
	if r.Input != nil {
		if r.Result != nil && r.Result.Policy != "" {
			m.policy = r.Result.Policy
		} else {
			m.policy = r.Input.Policy
		}
		r.Input = m.input(r.Input)
	}
	m.result(r)
	m.outcome(r)
	r.Custom.Reason = MaskText(r.Custom.Reason)
	r.Masked = m.seen
	if rules == nil || r.Input == nil {
		return nil
	}
	return applyRules(ctx, r, rules)
}

type masker struct {
	rules  MaskRules
	policy string
	seen   []string
	gone   []string // texts that were replaced whole

	replacer *strings.Replacer // of gone, as it was when it had made texts
	made     int
}

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

// derived is text for what holds another text again: it also loses what was
// replaced there.
func (m *masker) derived(pointer, s string) string {
	masked := m.without(MaskText(s))
	if masked != s {
		m.note(pointer)
	}
	return masked
}

func (m *masker) without(s string) string {
	if len(m.gone) == 0 || s == "" {
		return s
	}
	if m.made != len(m.gone) { // one pass over s, however many there are
		slices.SortFunc(m.gone, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, g := range m.gone {
			pairs = append(pairs, g, Masked)
		}
		m.replacer, m.made = strings.NewReplacer(pairs...), len(m.gone)
	}
	return m.replacer.Replace(s)
}

func (m *masker) list(pointer string, in []string, mask func(pointer, s string) string) []string {
	out := in
	for i, s := range in {
		masked := mask(pointer+"/"+strconv.Itoa(i), s)
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

func (m *masker) result(r *schemas.Record) {
	if r.Result == nil {
		return
	}
	message, hint := m.derived("/result/message", r.Result.Message), m.derived("/result/hint", r.Result.Hint)
	if message != r.Result.Message || hint != r.Result.Hint {
		d := *r.Result
		d.Message, d.Hint = message, hint
		r.Result = &d
	}
}

func (m *masker) outcome(r *schemas.Record) {
	if r.Custom.Outcome == nil {
		return
	}
	if text := m.derived("/custom/outcome/error", r.Custom.Outcome.Error); text != r.Custom.Outcome.Error {
		o := *r.Custom.Outcome
		o.Error = text
		r.Custom.Outcome = &o
	}
}

func (m *masker) input(in *schemas.DecisionInput) *schemas.DecisionInput {
	network, file, exec := m.network(in.Network), m.file(in.File), m.exec(in.Exec)
	if network == in.Network && file == in.File && exec == in.Exec {
		return in
	}
	c := *in
	c.Network, c.File, c.Exec = network, file, exec
	return &c
}

// pointerToken escapes a member name for a JSON pointer (RFC 6901, section 3).
func pointerToken(s string) string {
	if !strings.ContainsAny(s, "~/") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

func (m *masker) file(in *schemas.FileInput) *schemas.FileInput {
	if in == nil {
		return nil
	}
	f, before := *in, len(m.seen)
	f.Path = m.text("/input/file/path", in.Path)
	f.Lexical = m.text("/input/file/lexical", in.Lexical)
	if in.Target != nil {
		t := *in.Target
		t.Path = m.text("/input/file/target/path", t.Path)
		t.Lexical = m.text("/input/file/target/lexical", t.Lexical)
		f.Target = &t
	}
	if len(m.seen) == before {
		return in
	}
	return &f
}
