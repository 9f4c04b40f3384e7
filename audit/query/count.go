package query

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// Stats are counts of decisions.
type Stats struct {
	From      time.Time    `json:"from"` // the first and the last minute that is counted
	To        time.Time    `json:"to"`
	Decisions uint64       `json:"decisions"`
	Allowed   uint64       `json:"allowed"`
	Denied    uint64       `json:"denied"`
	Audited   uint64       `json:"audited"` // denied, but let pass in mode audit
	Top       []TopDenied  `json:"top_denied"`
	Sandboxes []Counted    `json:"sandboxes"`
	Codes     []Counted    `json:"codes"`
	Timeline  []TimeBucket `json:"timeline"`
}

// TopDenied is what was denied how often, audited ones included.
type TopDenied struct {
	Host   string `json:"host"` // "" for files and commands
	Method string `json:"method"`
	Code   string `json:"code"`
	Rule   string `json:"rule"`
	Count  uint64 `json:"count"`
}

// Counted counts the decisions that share a name.
type Counted struct {
	Name    string `json:"name"`
	Allowed uint64 `json:"allowed"`
	Denied  uint64 `json:"denied"`
	Audited uint64 `json:"audited"`
}

// TimeBucket counts the decisions from Start on, until the next bucket.
type TimeBucket struct {
	Start   time.Time `json:"start"`
	Allowed uint64    `json:"allowed"`
	Denied  uint64    `json:"denied"`
	Audited uint64    `json:"audited"`
}

// CountOptions bound what Count returns.
type CountOptions struct {
	Top     int // rows of each table
	Buckets int // of the timeline
}

// Countable tells whether a filter can be answered from counts: they have no
// text, and know times by the minute.
func Countable(f Filter) error {
	switch {
	case f.Text != "":
		return fmt.Errorf("counts hold no text: use query with --text")
	case f.Kind != "":
		return fmt.Errorf("counts do not know the kind: use --method or --code, or query with --kind")
	}
	return nil
}

// Count counts the decisions of logs: from the rollups of closed segments, and
// from the records of what is still open and of files. Times count by the minute.
func Count(paths []string, f Filter, opts CountOptions) (*Stats, error) {
	if err := Countable(f); err != nil {
		return nil, err
	}
	f.Type = schemas.RecordDecision
	if !f.Since.IsZero() {
		f.Since = f.Since.Truncate(time.Minute)
	}
	c := &count{m: newMatcher(f), rows: map[audit.RollupKey]uint64{}}
	for _, p := range paths {
		if err := c.log(p); err != nil {
			return nil, err
		}
	}
	return c.stats(opts), nil
}

type count struct {
	m    *matcher
	rows map[audit.RollupKey]uint64
}

func (c *count) log(path string) error {
	next := uint64(0)
	if info, err := os.Stat(path); path != "-" && err == nil && info.IsDir() {
		rollups, first, err := audit.Rollups(path)
		if err != nil {
			return err
		}
		for _, r := range rollups {
			c.rollup(r)
		}
		next = first
		return c.open(path, next)
	}
	for e, err := range c.m.file(path) {
		if err != nil {
			return err
		}
		if err := c.event(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *count) rollup(r audit.Rollup) {
	if !c.m.Since.IsZero() && r.To.Before(c.m.Since) || !c.m.Until.IsZero() && !r.From.Before(c.m.Until) {
		return
	}
	for _, row := range r.Rows {
		if c.m.row(row.RollupKey) {
			c.rows[row.RollupKey] += row.Count
		}
	}
}

// row is match for what was counted together.
func (m *matcher) row(k audit.RollupKey) bool {
	at := time.Unix(k.Minute*60, 0)
	switch {
	case !m.Since.IsZero() && at.Before(m.Since), !m.Until.IsZero() && !at.Before(m.Until),
		m.sandbox != "" && strings.TrimPrefix(k.Sandbox, "sb-") != m.sandbox,
		m.Policy != "" && k.Policy != m.Policy,
		m.Code != "" && k.Code != m.Code,
		m.Method != "" && !strings.EqualFold(k.Method, m.Method),
		m.Rule != "" && k.Rule != m.Rule,
		m.Host != "" && !m.host(k.Host),
		m.Decision != "" && !m.verdict(k.Verdict):
		return false
	}
	return true
}

// open counts the records of a log that no rollup counts yet.
func (c *count) open(path string, next uint64) error {
	e := &Event{Log: path}
	for entry, err := range audit.Entries(path, audit.Position{Seq: next}) {
		if err != nil {
			return err
		}
		e.Seq, e.Line = entry.Seq, entry.Line
		if e.Fields, err = audit.ParseFields(entry.Line); err != nil {
			return fmt.Errorf("%s: record %d: %w", path, entry.Seq, err)
		}
		if !c.m.match(e) {
			continue
		}
		if err := c.event(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *count) event(e *Event) error {
	at, err := e.Time()
	if err != nil {
		return fmt.Errorf("%s: record %d: %w", e.Log, e.Seq, err)
	}
	f := &e.Fields
	c.rows[audit.RollupKey{
		Minute: at.Truncate(time.Minute).Unix() / 60, Sandbox: audit.Text(f.Sandbox), Policy: audit.Text(f.Policy), Host: audit.Text(f.Host),
		Method: audit.Text(f.Method), Rule: audit.Text(f.Rule), Code: audit.Text(f.Code), Verdict: f.Verdict(),
	}]++
	return nil
}

func (c *count) stats(opts CountOptions) *Stats {
	s := &Stats{}
	top := map[TopDenied]uint64{}
	sandboxes, codes := map[string]*Counted{}, map[string]*Counted{}
	for k, n := range c.rows {
		at := time.Unix(k.Minute*60, 0).UTC()
		if s.Decisions == 0 || at.Before(s.From) {
			s.From = at
		}
		if s.Decisions == 0 || at.After(s.To) {
			s.To = at
		}
		s.Decisions += n
		add(k.Verdict, n, &s.Allowed, &s.Denied, &s.Audited)
		named(sandboxes, k.Sandbox, k.Verdict, n)
		named(codes, k.Code, k.Verdict, n)
		if k.Verdict == "deny" || k.Verdict == "audit" {
			top[TopDenied{Host: k.Host, Method: k.Method, Code: k.Code, Rule: k.Rule}] += n
		}
	}
	s.Top, s.Sandboxes, s.Codes = topDenied(top, opts.Top), sorted(sandboxes, opts.Top), sorted(codes, opts.Top)
	s.Timeline = c.timeline(s.From, s.To, opts.Buckets)
	return s
}

func add(verdict string, n uint64, allowed, denied, audited *uint64) {
	switch verdict {
	case "allow":
		*allowed += n
	case "deny":
		*denied += n
	case "audit":
		*audited += n
	}
}

func named(m map[string]*Counted, name, verdict string, n uint64) {
	if m[name] == nil {
		m[name] = &Counted{Name: name}
	}
	add(verdict, n, &m[name].Allowed, &m[name].Denied, &m[name].Audited)
}

func topDenied(m map[TopDenied]uint64, most int) []TopDenied {
	out := make([]TopDenied, 0, len(m))
	for t, n := range m {
		t.Count = n
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b TopDenied) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Host, b.Host), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Rule, b.Rule))
	})
	return out[:min(most, len(out))]
}

func sorted(m map[string]*Counted, most int) []Counted {
	out := make([]Counted, 0, len(m))
	for _, c := range m {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Counted) int {
		return cmp.Or(cmp.Compare(b.Denied+b.Audited, a.Denied+a.Audited), cmp.Compare(b.Allowed, a.Allowed), cmp.Compare(a.Name, b.Name))
	})
	return out[:min(most, len(out))]
}

// steps are the lengths of buckets that people read easily.
var steps = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

func (c *count) timeline(from, to time.Time, buckets int) []TimeBucket {
	if len(c.rows) == 0 || buckets <= 0 {
		return nil
	}
	step := steps[len(steps)-1]
	for i := len(steps) - 1; i >= 0 && to.Sub(from)/steps[i] < time.Duration(buckets); i-- {
		step = steps[i]
	}
	for to.Sub(from)/step >= time.Duration(buckets) {
		step *= 2
	}
	first := from.Truncate(step)
	out := make([]TimeBucket, int(to.Sub(first)/step)+1)
	for i := range out {
		out[i].Start = first.Add(time.Duration(i) * step)
	}
	for k, n := range c.rows {
		b := &out[int(time.Unix(k.Minute*60, 0).Sub(first)/step)]
		add(k.Verdict, n, &b.Allowed, &b.Denied, &b.Audited)
	}
	return out
}
