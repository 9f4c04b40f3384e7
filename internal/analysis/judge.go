package analysis

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/regogen"
	"github.com/openshell-policy/openshell/rego/variants"
	"github.com/openshell-policy/openshell/schemas"
)

// batchSize is how many mutants share a compilation of the Rego library.
const batchSize = 48

// judge finds out the fate of mutants.
type judge struct {
	jobs int
}

// run tries every mutant on its first target, what is left on the next ones.
func (j *judge) run(ctx context.Context, trials []*trial) error {
	for round := 0; ; round++ {
		var batches [][]*trial
		for _, group := range bySubject(trials) {
			if round >= len(group[0].subject.targets) {
				continue
			}
			alive := slices.DeleteFunc(slices.Clone(group), func(t *trial) bool { return t.fate == Killed })
			size := batchSize
			if group[0].subject.targets[round].extended {
				size = 1 // under the policy's own name, which extensions may ask for
			}
			batches = slices.AppendSeq(batches, slices.Chunk(alive, size))
		}
		if len(batches) == 0 {
			return settle(ctx, trials)
		}
		if err := j.parallel(ctx, batches, func(batch []*trial) error {
			return j.try(ctx, batch, batch[0].subject.targets[round])
		}); err != nil {
			return err
		}
	}
}

func bySubject(trials []*trial) [][]*trial {
	var groups [][]*trial
	for i, t := range trials {
		if i == 0 || trials[i-1].subject != t.subject {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], t)
	}
	return groups
}

func (j *judge) parallel(ctx context.Context, batches [][]*trial, do func([]*trial) error) error {
	errs := make([]error, len(batches))
	slots := make(chan struct{}, j.jobs)
	var wg sync.WaitGroup
	for i, b := range batches {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = do(b)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // they fail alike
		}
	}
	return nil
}

// contender is a mutant of a batch with what may notice it.
type contender struct {
	*trial
	name  string // of the variant
	cases []*testCase
}

// try asks the cases of one target under each mutant.
func (j *judge) try(ctx context.Context, batch []*trial, t target) error {
	var vs []variants.Variant
	var contenders []contender
	for i, one := range batch {
		after := t.planned(t.policy, one.mutant.Document)
		if after == nil {
			continue
		}
		one.mutant.Rename(after)
		before := t.plans[t.policy]
		if alike(before, after) {
			if one.fate == Invalid {
				one.fate = Equivalent
			}
			continue
		}
		one.fate = Survived // so far; one target that tells it apart is enough
		cases := t.noticing(&one.mutant, before, after)
		if len(cases) == 0 {
			continue
		}
		name, kind := fmt.Sprintf("%s~%d", t.policy, i), one.mutant.Kind
		if t.extended {
			name, kind = t.policy, ""
		}
		v, err := t.variant(reduced(&one.mutant, after, cases), name, kind)
		if err != nil {
			return err
		}
		vs = append(vs, v)
		contenders = append(contenders, contender{one, v.Name, cases})
	}
	if len(vs) == 0 {
		return nil
	}
	base, err := t.base()
	if err != nil {
		return err
	}
	set, err := base.Compile(ctx, vs)
	if err != nil {
		return err
	}
	for _, c := range contenders {
		if err := c.challenge(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// settle tells the survivors that a case could have noticed from those that none
// can.
func settle(ctx context.Context, trials []*trial) error {
	for _, t := range trials {
		if t.fate != Survived {
			continue
		}
		t.undecided = true
		home := t.subject.targets[0]
		before, after := home.plans[t.mutant.Policy()], home.planned(t.mutant.Policy(), t.mutant.Document)
		if before == nil || after == nil {
			continue
		}
		before, after = meeting(&t.mutant, before, after)
		d, err := differ(ctx, before, after, home.extended)
		if err != nil {
			return fmt.Errorf("compare %s with %s %s: %w", t.mutant.Policy(), t.mutant.Operator, t.mutant.Rule, err)
		}
		t.undecided = !d.known
		switch {
		case d.same && d.known:
			t.fate = Equivalent
		case d.example != "":
			t.example = &Example{Ask: d.example, Expect: verdict(schemas.Decision{Allow: d.allow})}
		}
	}
	return nil
}

// alike tells whether two plans are the same, so that nothing can tell them apart.
func alike(a, b *plan.Policy) bool {
	return a.Mode == b.Mode && reflect.DeepEqual(a.Network, b.Network) && reflect.DeepEqual(a.File, b.File) && reflect.DeepEqual(a.Exec, b.Exec)
}

// variant generates the surfaces that a change can reach. Rules of files are
// counted before those of commands, which refer to files only by whether they
// match.
func (t target) variant(p *plan.Policy, name string, kind schemas.Kind) (variants.Variant, error) {
	renamed := *p
	renamed.Name = name
	v := variants.Variant{Name: name, Of: t.policy, Modules: map[string]string{}, Index: regogen.NewIndex(&renamed)}
	for _, m := range regogen.Policy(&renamed) {
		if slices.Contains(reach(kind), schemas.Kind(m.Surface)) {
			v.Modules[m.Surface] = m.Text
		}
	}
	if kind == schemas.KindExec {
		v.Originals = []string{string(schemas.KindFile)} // which say what programs can be trusted
	}
	if len(v.Modules) != len(reach(kind)) {
		return v, fmt.Errorf("policy %q: %d modules were generated, not %d", p.Name, len(v.Modules), len(reach(kind)))
	}
	return v, nil
}

// reach lists the surfaces whose decisions a change of one can alter.
func reach(kind schemas.Kind) []schemas.Kind {
	switch kind {
	case schemas.KindNetwork, schemas.KindExec:
		return []schemas.Kind{kind}
	case schemas.KindFile:
		return []schemas.Kind{schemas.KindFile, schemas.KindExec}
	}
	return []schemas.Kind{schemas.KindNetwork, schemas.KindFile, schemas.KindExec}
}

// challenge asks the cases until one fails.
func (c contender) challenge(ctx context.Context, set *variants.Set) error {
	for _, one := range c.cases {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d, err := decideBy(ctx, set, c.name, one.inputs)
		if err != nil {
			return err
		}
		if reason := one.judge(&d); reason != "" {
			c.fate, c.by, c.reason = Killed, one, reason
			return nil
		}
	}
	return nil
}

// decideBy decides as rego.Generation.DecideReadings does: the first reading that
// does not pass, else the first that is denied in audit mode, else the first.
func decideBy(ctx context.Context, set *variants.Set, policy string, inputs []schemas.DecisionInput) (schemas.Decision, error) {
	var kept schemas.Decision
	for i, in := range inputs {
		in.Policy = policy
		d, err := set.Decide(ctx, &in)
		if err != nil {
			return d, err
		}
		if !d.Passes() {
			return d, nil
		}
		if i == 0 || kept.Allow && !d.Allow {
			kept = d
		}
	}
	return kept, nil
}

// planned resolves one policy of a world, with some documents replaced.
func (a *arena) planned(policy string, changed *parse.Document) *plan.Policy {
	docs := maps.Clone(a.docs)
	docs[changed.Policy.Metadata.Name] = changed
	own := docs[policy]
	var others []*parse.Document
	for _, name := range lineage(docs, policy)[1:] {
		if docs[name] != nil {
			others = append(others, docs[name])
		}
	}
	plans, ds := check.Policies([]*parse.Document{own}, others)
	if len(plans) != 1 || diag.HasErrors(ds) {
		return nil
	}
	return plans[0]
}
