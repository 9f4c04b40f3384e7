package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego/variants"
)

// ErrFailing is returned for suites that fail without any mutant.
var ErrFailing = errors.New("mutants tell nothing while a case fails")

// Mutate changes the policies that suites test, one rule at a time, and tells
// for each change whether a case notices. A policy is changed if a case asks it
// by name and its file is one that the test names; cases of every suite that ask
// it, or a policy that extends it, may notice. At most jobs batches are judged at
// the same time.
func (r *Runner) Mutate(ctx context.Context, suites []*Suite, jobs int) (*Mutation, error) {
	for _, s := range suites {
		if !s.Ran() || s.Failed() > 0 {
			return nil, fmt.Errorf("%s: %w", s.File, ErrFailing)
		}
	}
	subjects, err := r.subjects(suites)
	if err != nil {
		return nil, err
	}
	var all []*trial
	for _, s := range subjects {
		for _, m := range mutate.Of(s.doc) {
			all = append(all, &trial{mutant: m, subject: s, fate: Invalid})
		}
	}
	j := &judge{jobs: max(jobs, 1)}
	if err := j.run(ctx, all); err != nil {
		return nil, err
	}
	results := make([]MutantResult, len(all))
	for i, t := range all {
		results[i] = t.result()
	}
	return tally(results), nil
}

// subject is a policy to be changed, and where its cases are.
type subject struct {
	doc     *parse.Document
	targets []target // those that ask the policy itself come first
}

// target is a policy of a world that has the subject's rules.
type target struct {
	*arena
	policy string
	direct bool // it is the subject
}

// arena is a world made ready for variants.
type arena struct {
	*world
	docs map[string]*parse.Document
	base func() (*variants.Base, error)
	// rules is base without the owner's extensions.
	rules func() (*variants.Base, error)
	// extended says that there are any.
	extended bool
	// plans are those of the policies as they are.
	plans map[string]*plan.Policy
}

func (r *Runner) arena(w *world) *arena {
	a := &arena{world: w, docs: w.documents(r.Library), plans: map[string]*plan.Policy{}}
	a.base = sync.OnceValues(func() (*variants.Base, error) { return variants.Open(w.result.Bundle) })
	a.rules = sync.OnceValues(func() (*variants.Base, error) {
		base, err := a.base()
		if err != nil {
			return nil, err
		}
		return base.WithoutExtensions(), nil
	})
	a.extended = slices.ContainsFunc(w.sources, func(s compiler.Source) bool { return strings.HasSuffix(s.Name, ".rego") })
	for _, p := range w.result.Policies {
		a.plans[p.Name] = p
	}
	return a
}

func (r *Runner) subjects(suites []*Suite) ([]*subject, error) {
	found := map[string]*subject{} // by file and name
	for _, s := range suites {
		for _, w := range s.worlds {
			a := r.arena(w)
			own := map[string]bool{}
			for _, source := range w.own {
				own[source.Name] = true
			}
			for _, policy := range w.asked() {
				for _, name := range lineage(a.docs, policy) {
					doc := a.docs[name]
					if doc == nil || !own[doc.File] {
						continue
					}
					key := doc.File + "\x00" + name
					if found[key] == nil {
						found[key] = &subject{doc: doc}
					}
					if string(found[key].doc.Data()) != string(doc.Data()) {
						return nil, fmt.Errorf("%s has changed while it was tested", doc.File)
					}
					direct := slices.ContainsFunc(w.cases, func(c *testCase) bool { return c.Policy == name && c.asks == policy })
					found[key].targets = append(found[key].targets, target{a, policy, direct})
				}
			}
		}
	}
	var out []*subject
	for _, key := range slices.Sorted(maps.Keys(found)) {
		s := found[key]
		if !slices.ContainsFunc(s.targets, func(t target) bool { return t.direct }) {
			continue // only what extends it is tested here
		}
		slices.SortStableFunc(s.targets, func(a, b target) int { return cmp.Compare(order(a), order(b)) })
		out = append(out, s)
	}
	return out, nil
}

func order(t target) int {
	if t.direct {
		return 0
	}
	return 1
}

// trial is a mutant before the judge.
type trial struct {
	mutant    mutate.Mutant
	subject   *subject
	fate      Fate
	by        *testCase
	reason    string
	undecided bool
	example   *Example
}

func (t *trial) result() MutantResult {
	m := &t.mutant
	r := MutantResult{
		Policy: m.Policy(), Rule: m.Rule, Operator: m.Operator, Change: m.What, Pos: m.Pos, Fate: t.fate, Undecided: t.undecided,
	}
	if t.by != nil {
		r.By = &KilledBy{Name: t.by.Name, Pos: t.by.Pos, Reason: t.reason}
	}
	if t.fate == Survived {
		r.Diff, r.Example = m.Diff(), t.example
	}
	return r
}
