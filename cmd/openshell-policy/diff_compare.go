package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
)

// comparison is what the change of a set of policies means. It is what -o json
// prints.
type comparison struct {
	Before   string          `json:"before"`
	After    string          `json:"after"`
	Verdict  diff.Verdict    `json:"verdict"`
	Policies []*policyChange `json:"policies"`
	Counts   map[string]int  `json:"counts"` // wider, narrower, unknown, ignored
	// Replay is what would come out differently of recorded traffic, if logs were
	// given.
	Replay  *replay.Report    `json:"replay,omitempty"`
	sources map[string][]byte // of the later side
}

// policyChange is the report on one policy, or says that it came or went.
type policyChange struct {
	*diff.Report
	Status  string       `json:"status"` // changed, added, removed or same
	Ignored []ignoredOne `json:"ignored,omitempty"`
	at      *plan.Policy
}

// ignoredOne is a change that somebody accepted.
type ignoredOne struct {
	Change diff.Change `json:"change"`
	Reason string      `json:"reason"`
	Until  string      `json:"until"`
}

func compareSides(ctx context.Context, before, after *policySide) (*comparison, error) {
	c := &comparison{Before: before.label, After: after.label, Policies: []*policyChange{}, sources: after.result.Sources}
	olds, news := before.policies(), after.policies()
	if len(olds) == 0 && len(news) == 0 {
		return nil, errors.New("there is no policy on either side")
	}
	pairs := paired(olds, news)
	was, err := before.load()
	if err != nil {
		return nil, err
	}
	is, err := after.load()
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		one := &policyChange{Status: "same"}
		switch {
		case p[0] == nil:
			one.Status, one.at, one.Report = "added", p[1], lone(p[1], diff.Widens)
		case p[1] == nil:
			one.Status, one.at, one.Report = "removed", p[0], lone(p[0], diff.Narrows)
		default:
			one.at = p[1]
			if one.Report, err = diff.Policies(ctx, p[0], p[1], diff.Options{
				Before: was, After: is, Extended: before.extensions != "" || after.extensions != "", SameExtensions: before.extensions == after.extensions,
			}); err != nil {
				return nil, fmt.Errorf("%s: %w", p[1].Name, err)
			}
			if one.Verdict != diff.Equivalent {
				one.Status = "changed"
			}
		}
		c.Policies = append(c.Policies, one)
	}
	c.count()
	return c, nil
}

// paired joins policies by name, or two single ones.
func paired(olds, news map[string]*plan.Policy) [][2]*plan.Policy {
	names := map[string]bool{}
	for n := range olds {
		names[n] = true
	}
	for n := range news {
		names[n] = true
	}
	sorted := slices.Sorted(maps.Keys(names))
	if len(olds) == 1 && len(news) == 1 && len(sorted) == 2 {
		var pair [2]*plan.Policy
		for _, n := range sorted {
			if olds[n] != nil {
				pair[0] = olds[n]
			} else {
				pair[1] = news[n]
			}
		}
		return [][2]*plan.Policy{pair}
	}
	var out [][2]*plan.Policy
	for _, n := range sorted {
		out = append(out, [2]*plan.Policy{olds[n], news[n]})
	}
	return out
}

// lone is the report on a policy that has no counterpart: under its name nothing
// passes on the other side.
func lone(p *plan.Policy, d diff.Direction) *diff.Report {
	word := map[diff.Direction]string{diff.Widens: "added", diff.Narrows: "removed"}[d]
	present := diff.Part{Passes: true, Rule: "policy", File: p.Pos.File, Line: p.Pos.Line}
	change := diff.Change{Surface: "policy", Direction: d, Class: "policy " + p.Name + " is " + word, Example: "what " + p.Name + " allows"}
	s := diff.Surface{Name: "policy", Wider: "no", Narrower: "no", Verdict: diff.Verdict(d)}
	if d == diff.Widens {
		s.Wider, change.After = "yes", present
	} else {
		s.Narrower, change.Before = "yes", present
	}
	s.Changes = []diff.Change{change}
	return &diff.Report{Policy: p.Name, Verdict: diff.Verdict(d), Surfaces: []diff.Surface{s}}
}

// count sums up the changes that nobody accepted.
func (c *comparison) count() {
	c.Counts = map[string]int{"wider": 0, "narrower": 0, "unknown": 0, "ignored": 0}
	for _, p := range c.Policies {
		c.Counts["ignored"] += len(p.Ignored)
		for _, s := range p.Surfaces {
			for _, ch := range s.Changes {
				c.Counts[string(ch.Direction)]++
			}
			c.Counts["unknown"] += len(s.Unknown)
		}
	}
	wider, narrower := c.is(diff.Widens), c.is(diff.Narrows)
	switch {
	case wider == exact.Yes && narrower == exact.Yes:
		c.Verdict = diff.Incomparable
	case wider == exact.Unknown || narrower == exact.Unknown:
		c.Verdict = diff.Unknown
	case wider == exact.Yes:
		c.Verdict = diff.Wider
	case narrower == exact.Yes:
		c.Verdict = diff.Narrower
	default:
		c.Verdict = diff.Equivalent
	}
}

func (c *comparison) is(d diff.Direction) exact.Verdict {
	out := exact.No
	for _, p := range c.Policies {
		switch p.Is(d) {
		case exact.Yes:
			return exact.Yes
		case exact.Unknown:
			out = exact.Unknown
		}
	}
	return out
}

// fails tells whether a gate is met. What is unknown may be wider or narrower.
func (c *comparison) fails(gates []string) bool {
	wider, narrower := c.is(diff.Widens), c.is(diff.Narrows)
	for _, g := range gates {
		switch g {
		case "wider":
			if wider != exact.No {
				return true
			}
		case "narrower":
			if narrower != exact.No {
				return true
			}
		case "any":
			if wider != exact.No || narrower != exact.No {
				return true
			}
		case "unknown":
			if c.Counts["unknown"] > 0 {
				return true
			}
		}
	}
	return false
}

// replay decides again what logs hold under the later side.
func (c *comparison) replay(ctx context.Context, args []string, after *policySide) error {
	if len(args) == 0 {
		return nil
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	c.Replay, err = replayed(ctx, &selection{}, logs, after)
	return err
}
