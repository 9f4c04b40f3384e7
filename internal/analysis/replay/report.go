package replay

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

// Summary counts records.
type Summary struct {
	Records       int            `json:"records"` // of the policies that are replayed against
	First         time.Time      `json:"first,omitzero"`
	Last          time.Time      `json:"last,omitzero"`
	NotReplayable map[string]int `json:"not_replayable"` // by reason
	Others        map[string]int `json:"other_policies"` // records left out, by policy
}

func (s *Summary) count(o *Occurrence) {
	if s.Records == 0 || o.First.Before(s.First) {
		s.First = o.First
	}
	if s.Records == 0 || o.Last.After(s.Last) {
		s.Last = o.Last
	}
	s.Records++
}

// Kind says what comes of a decision.
type Kind string

// The kinds of changes. Audited and enforced are changes between an allowance and
// a denial that mode audit lets pass: the same requests pass.
const (
	NewlyDenied  Kind = "newly-denied"
	NewlyAllowed Kind = "newly-allowed"
	Audited      Kind = "now-only-audited"
	Settled      Kind = "no-longer-audited"
)

// Side is a decision before or now.
type Side struct {
	Verdict string          `json:"verdict"` // allow, deny, or audit
	Code    schemas.Code    `json:"code"`
	Rule    string          `json:"rule"`
	Source  *schemas.Source `json:"source,omitempty"`
	Message string          `json:"message,omitempty"`
}

// Change groups records of which the same comes out differently for the same
// reason.
type Change struct {
	Kind   Kind         `json:"kind"`
	Policy string       `json:"policy"`
	On     schemas.Kind `json:"on"`
	About  string       `json:"about"` // method and host, operation and folder, or program
	Before Side         `json:"before"`
	Now    Side         `json:"now"`
	Count  int          `json:"count"`
	First  time.Time    `json:"first"`
	Last   time.Time    `json:"last"`
	Sample string       `json:"sample"` // the earliest, as eval takes it
	Log    string       `json:"log"`
	Seq    uint64       `json:"seq"`
}

// Report is what a replay found.
type Report struct {
	Summary
	Unchanged int          `json:"unchanged"`
	Reasons   int          `json:"other_reason"` // of Unchanged: by another rule or code
	Counts    map[Kind]int `json:"counts"`       // records
	Changes   []*Change    `json:"changes"`
	groups    map[group]*Change
}

// group is what records of one Change have in common.
type group struct {
	kind                     Kind
	policy, about            string
	code, codeNow            schemas.Code
	rule, ruleNow, verdictIs string
}

// Events replays events and reports what changes.
func Events(ctx context.Context, events iter.Seq2[*query.Event, error], target Target) (*Report, error) {
	r := &Report{Counts: map[Kind]int{}, Changes: []*Change{}, groups: map[group]*Change{}}
	sum, err := Ask(ctx, events, target, r.add)
	if sum != nil {
		r.Summary = *sum
	}
	if err != nil {
		return r, err
	}
	r.Changes = slices.SortedFunc(maps.Values(r.groups), func(a, b *Change) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), -cmp.Compare(a.Count, b.Count), strings.Compare(a.Policy, b.Policy),
			strings.Compare(a.About, b.About), strings.Compare(a.Sample, b.Sample))
	})
	return r, nil
}

func rank(k Kind) int {
	return slices.Index([]Kind{NewlyDenied, NewlyAllowed, Audited, Settled}, k)
}

func (r *Report) add(q *Question, d *schemas.Decision) {
	now := Verdict(d)
	for i := range q.Asked {
		o := &q.Asked[i]
		kind := between(o.Verdict, now)
		if kind == "" {
			r.Unchanged += o.Count
			if o.Rule != d.Rule || o.Code != d.Code {
				r.Reasons += o.Count
			}
			continue
		}
		r.Counts[kind] += o.Count
		r.change(kind, q, o, d)
	}
}

func (r *Report) change(kind Kind, q *Question, o *Occurrence, d *schemas.Decision) {
	about := q.about()
	g := group{kind, d.Policy, about, o.Code, d.Code, o.Rule, d.Rule, o.Verdict}
	c := r.groups[g]
	if c == nil {
		c = &Change{
			Kind: kind, Policy: d.Policy, On: q.Input.Kind, About: about, First: o.First,
			Before: Side{Verdict: o.Verdict, Code: o.Code, Rule: o.Rule},
			Now:    Side{Verdict: Verdict(d), Code: d.Code, Rule: d.Rule, Source: d.Source, Message: d.Message},
		}
		r.groups[g] = c
	}
	text := q.Text()
	if c.Count == 0 || o.First.Before(c.First) || o.First.Equal(c.First) && text < c.Sample {
		c.First, c.Sample, c.Log, c.Seq = o.First, text, o.Log, o.Seq
	}
	if o.Last.After(c.Last) {
		c.Last = o.Last
	}
	c.Count += o.Count
}

// Verdict is allow, deny, or audit for a denial that mode audit lets pass.
func Verdict(d *schemas.Decision) string {
	switch {
	case d.Allow:
		return "allow"
	case d.Passes():
		return "audit"
	}
	return "deny"
}

func between(before, now string) Kind {
	switch {
	case before == now:
		return ""
	case now == "deny":
		return NewlyDenied
	case before == "deny":
		return NewlyAllowed
	case now == "audit":
		return Audited
	}
	return Settled
}

// about is what a question is grouped by.
func (q *Question) about() string {
	switch in := &q.Input; {
	case in.Network != nil:
		return in.Network.Method + " " + in.Network.Authority
	case in.File != nil:
		return string(in.File.Op) + " " + in.File.Path[:strings.LastIndexByte(in.File.Path, '/')+1]
	case in.Exec != nil && len(in.Exec.Commands) > 0:
		c := in.Exec.Commands[0]
		return cmp.Or(c.Named, c.Program)
	}
	return string(q.Input.Kind)
}

// names lists the keys of counts.
func names(m map[string]int) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
