package oracle_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// side is one policy of a pair, planned and loaded.
type side struct {
	plan   *plan.Policy
	engine *rego.Generation
}

func newSide(t *testing.T, p *schemas.SandboxPolicy) *side {
	t.Helper()
	r := compiler.Compile([]compiler.Source{{Name: p.Metadata.Name + ".yaml", Data: []byte(render(p))}}, compiler.Options{Rego: rego.Library(), Name: "diff"})
	if r.Bundle == nil {
		return nil
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return &side{r.Policies[0], g}
}

// altered is a copy of a policy with a few parts drawn anew, or left out.
func (s source) altered(p *schemas.SandboxPolicy) *schemas.SandboxPolicy {
	q := &schemas.SandboxPolicy{}
	if err := json.Unmarshal([]byte(render(p)), q); err != nil {
		panic(err) // rendered a moment ago
	}
	for range 1 + s.IntN(3) {
		s.alter(&q.Spec, s.policy("other"))
	}
	return q
}

func (s source) alter(spec *schemas.Spec, other *schemas.SandboxPolicy) {
	rules := func(list []schemas.NetworkRule, draw func() schemas.NetworkRule) []schemas.NetworkRule {
		if len(list) == 0 || s.chance(40) {
			return append(list, draw())
		}
		i := s.IntN(len(list))
		if s.chance(50) {
			return append(list[:i], list[i+1:]...)
		}
		list[i] = draw()
		return list
	}
	switch n := spec.Network; {
	case n != nil && s.chance(55):
		if s.chance(60) {
			n.Outbound = rules(n.Outbound, s.outbound)
		} else {
			n.Denied = rules(n.Denied, s.rule)
		}
	case s.chance(30):
		spec.Filesystem = other.Spec.Filesystem
	case s.chance(20):
		spec.Mode = other.Spec.Mode
	case s.chance(15):
		spec.Network = other.Spec.Network
	default:
		s.alterCommands(spec, other)
	}
}

func (s source) alterCommands(spec *schemas.Spec, other *schemas.SandboxPolicy) {
	e, o := spec.Execution, other.Spec.Execution
	switch {
	case e == nil || o == nil || s.chance(20):
		spec.Execution = o
	case s.chance(40):
		e.BlockedCommands = o.BlockedCommands
	case s.chance(30):
		e.Carriers = o.Carriers
	case e.AllowedCommands != nil && o.AllowedCommands != nil && s.chance(60):
		list := append(append([]string{}, *e.AllowedCommands...), *o.AllowedCommands...)
		e.AllowedCommands = &list
	default:
		e.AllowedCommands = o.AllowedCommands
	}
}

// Random pairs of policies are compared, and random inputs decided by both: what
// passes on one side only is never what the comparison says does not happen, and
// what it shows is so, or Policies fails. OPENSHELL_ORACLE_PAIRS says how many
// pairs are drawn, OPENSHELL_ORACLE_SEED where drawing begins.
func TestDiffAgreesWithTheEngine(t *testing.T) {
	pairs, seed := setting(t, "OPENSHELL_ORACLE_PAIRS", 20), setting(t, "OPENSHELL_ORACLE_SEED", 1)
	verdicts, differing, compared := map[string]int{}, 0, 0
	for i := range pairs {
		t.Run(strconv.Itoa(seed+i), func(t *testing.T) {
			s := newSource(uint64(seed+i) << 20)
			p := s.policy("p")
			q := s.altered(p)
			if s.chance(15) {
				q = s.policy("p")
			}
			before, after := newSide(t, p), newSide(t, q)
			if before == nil || after == nil {
				return
			}
			r, err := diff.Policies(context.Background(), before.plan, after.plan, diff.Options{
				Before: analysis.Evaluator{Generation: before.engine}, After: analysis.Evaluator{Generation: after.engine},
			})
			if err != nil {
				t.Fatalf("%v\nbefore: %s\nafter: %s", err, render(p.Spec), render(q.Spec))
			}
			compared++
			for _, s := range r.Surfaces {
				verdicts[s.Name+" "+string(s.Verdict)]++
				for _, why := range s.Unknown {
					t.Logf("%s: %s (wider %s, narrower %s)", s.Name, why, s.Wider, s.Narrower)
				}
			}
			differing += contradict(t, s, r, before, after, p, q)
		})
	}
	t.Logf("%d pairs, %d inputs that differ, verdicts %v", compared, differing, verdicts)
	if compared < pairs/3 || differing < pairs {
		t.Errorf("%d pairs were compared, %d inputs differed", compared, differing)
	}
}

// contradict draws inputs and counts those that pass on one side only.
func contradict(t *testing.T, s source, r *diff.Report, before, after *side, p, q *schemas.SandboxPolicy) int {
	t.Helper()
	said := map[schemas.Kind]diff.Surface{}
	for _, surface := range r.Surfaces {
		switch surface.Name {
		case diff.SurfaceNetwork:
			said[schemas.KindNetwork] = surface
		case diff.SurfaceFiles:
			said[schemas.KindFile] = surface
		case diff.SurfaceCommands:
			said[schemas.KindExec] = surface
		}
	}
	differing := 0
	for range 400 {
		inputs := s.inputs("p")
		if len(inputs) == 0 {
			continue
		}
		was, is := passesAll(before, inputs), passesAll(after, inputs)
		if was == is {
			continue
		}
		differing++
		surface := said[inputs[0].Kind]
		if is && surface.Wider == "no" || was && surface.Narrower == "no" {
			t.Fatalf("%s is said to be %s (wider %s, narrower %s), but passes before %t, after %t:\n%s\nbefore: %s\nafter: %s",
				surface.Name, surface.Verdict, surface.Wider, surface.Narrower, was, is, render(inputs[0]), render(p.Spec), render(q.Spec))
		}
	}
	return differing
}

// passesAll tells whether every reading of a request passes. It asks again where there was no time to decide: the machine may be
// busy, and a decision that never comes is told apart by its code.
func passesAll(s *side, inputs []*schemas.DecisionInput) bool {
	for _, in := range inputs {
		d := s.engine.Decide(context.Background(), in)
		for range 20 {
			if d.Code != schemas.CodePolicyError {
				break
			}
			d = s.engine.Decide(context.Background(), in)
		}
		if !d.Passes() {
			return false
		}
	}
	return true
}
