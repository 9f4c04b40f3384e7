package replay

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"runtime"
	"sync"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

// batch is how many different inputs are kept before they are decided.
const batch = 50_000

// Evaluator decides inputs: a generation of the engine.
type Evaluator interface {
	Decide(ctx context.Context, in *schemas.DecisionInput) schemas.Decision
	DecideReadings(ctx context.Context, in schemas.DecisionInput, readings []schemas.NetworkInput) (schemas.Decision, int)
}

// Target finds who decides a record of a policy now, and under which name. Ok is
// false where the policy is none of those that are replayed against.
type Target func(policy string) (e Evaluator, name string, ok bool, err error)

// ErrNothing says that there was no record to replay.
var ErrNothing = errors.New("the logs hold no decision of these policies")

// Ask reads events, joins those that ask the same, decides each question once by
// what target names and hands them on with the decisions, in no order. What cannot
// be replayed is counted in the summary that it returns. Fn is not called
// concurrently.
func Ask(ctx context.Context, events iter.Seq2[*query.Event, error], target Target, fn func(*Question, *schemas.Decision)) (*Summary, error) {
	r := &run{
		target: target, fn: fn, seed: maphash.MakeSeed(), questions: map[[2]uint64]*Question{},
		sum: &Summary{NotReplayable: map[string]int{}, Others: map[string]int{}},
	}
	for e, err := range events {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = r.event(e)
		}
		if err == nil && len(r.questions) >= batch {
			err = r.decide(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := r.decide(ctx); err != nil {
		return nil, err
	}
	if r.sum.Records == 0 {
		return r.sum, r.nothing()
	}
	return r.sum, nil
}

type run struct {
	target    Target
	fn        func(*Question, *schemas.Decision)
	seed      maphash.Seed
	questions map[[2]uint64]*Question
	sum       *Summary
}

func (r *run) nothing() error {
	if len(r.sum.Others) == 0 {
		return ErrNothing
	}
	return fmt.Errorf("%w; they are about %s", ErrNothing, names(r.sum.Others))
}

func (r *run) event(e *query.Event) error {
	if e.Fields.Verdict() == "" || string(e.Fields.Type) != schemas.RecordDecision {
		return nil
	}
	policy := audit.Text(e.Fields.AsksPolicy)
	if policy == "" {
		policy = audit.Text(e.Fields.Policy)
	}
	_, _, ok, err := r.target(policy)
	if err != nil {
		return err
	}
	if !ok {
		r.sum.Others[policy]++
		return nil
	}
	o, err := occurrence(e)
	if err != nil {
		return err
	}
	r.sum.count(&o)
	if why := refusal(&e.Fields); why != "" {
		r.sum.NotReplayable[why]++
		return nil
	}
	k := key(r.seed, policy, e.Fields.Input)
	q := r.questions[k]
	if q == nil {
		q = &Question{raw: append([]byte(nil), e.Fields.Input...), policy: policy}
		r.questions[k] = q
	}
	q.add(&o)
	return nil
}

// answer is a question with its decision.
type answer struct {
	*Question
	decision schemas.Decision
}

// decide decides what has been gathered, on all processors.
func (r *run) decide(ctx context.Context) error {
	todo := make([]answer, 0, len(r.questions))
	for _, q := range r.questions {
		todo = append(todo, answer{Question: q})
	}
	clear(r.questions)
	next := make(chan *answer)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for a := range next {
				if err := r.one(ctx, a); err != nil {
					errs[i] = err
				}
			}
		})
	}
	for i := range todo {
		next <- &todo[i]
	}
	close(next)
	wg.Wait()
	for i := range todo {
		a := &todo[i]
		if a.bad != "" {
			for _, o := range a.Asked {
				r.sum.NotReplayable[a.bad] += o.Count
			}
			continue
		}
		r.fn(a.Question, &a.decision)
	}
	return errors.Join(append(errs, ctx.Err())...)
}

func (r *run) one(ctx context.Context, a *answer) error {
	if a.decode(); a.bad != "" || ctx.Err() != nil {
		return nil
	}
	e, name, _, err := r.target(a.policy)
	if err != nil {
		return err
	}
	a.decision = a.Decide(ctx, e, name)
	return nil
}
