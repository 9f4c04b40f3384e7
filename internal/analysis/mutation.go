package analysis

import (
	"cmp"
	"slices"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/mutate"
)

// Fate is what became of a mutant.
type Fate string

// The fates. Only those that were killed and those that survived count.
const (
	Killed     Fate = "killed"     // a case fails under it
	Survived   Fate = "survived"   // no case notices it
	Equivalent Fate = "equivalent" // it decides everything alike, so no case can
	Invalid    Fate = "invalid"    // it does not compile
)

// MutantResult is one mutant and what became of it.
type MutantResult struct {
	Policy   string          `json:"policy"`
	Rule     string          `json:"rule"`
	Operator mutate.Operator `json:"operator"`
	Change   string          `json:"change"`
	Pos      diag.Position   `json:"position"`
	Fate     Fate            `json:"fate"`
	// By is the case that failed under the mutant.
	By *KilledBy `json:"killed_by,omitempty"`
	// Undecided says that the mutant may decide everything alike: it could not be
	// found out. It counts as survived.
	Undecided bool `json:"undecided,omitempty"`
	// Diff is the change to the policy's file, of mutants that survived; Example is
	// a case that would notice, where one was found.
	Diff    string   `json:"diff,omitempty"`
	Example *Example `json:"example,omitempty"`
}

// Example is what a case would ask, and expect of the policy as it is.
type Example struct {
	Ask    string `json:"ask"`
	Expect string `json:"expect"`
}

// KilledBy names a case and what failed.
type KilledBy struct {
	Name   string        `json:"name"`
	Pos    diag.Position `json:"position"`
	Reason string        `json:"reason"`
}

// Tally counts mutants.
type Tally struct {
	Mutants    int `json:"mutants"`
	Killed     int `json:"killed"`
	Survived   int `json:"survived"`
	Equivalent int `json:"equivalent"`
	Invalid    int `json:"invalid"`
}

// Score is the share of mutants that were killed among those that could be, in
// percent; 100 if there is none.
func (t Tally) Score() float64 {
	if t.Killed+t.Survived == 0 {
		return 100
	}
	return 100 * float64(t.Killed) / float64(t.Killed+t.Survived)
}

func (t *Tally) add(f Fate) {
	t.Mutants++
	switch f {
	case Killed:
		t.Killed++
	case Survived:
		t.Survived++
	case Equivalent:
		t.Equivalent++
	case Invalid:
		t.Invalid++
	}
}

// PolicyTally counts the mutants of one policy.
type PolicyTally struct {
	Policy string  `json:"policy"`
	File   string  `json:"file"`
	Score  float64 `json:"score"`
	Tally
}

// Mutation is the outcome of a mutation run.
type Mutation struct {
	Tally
	Score    float64        `json:"score"`
	Policies []PolicyTally  `json:"policies"`
	Mutants  []MutantResult `json:"results"`
}

// tally counts results, which are in the order of policies and their text.
func tally(results []MutantResult) *Mutation {
	m := &Mutation{Mutants: results, Policies: []PolicyTally{}}
	for _, r := range results {
		i := slices.IndexFunc(m.Policies, func(p PolicyTally) bool { return p.Policy == r.Policy && p.File == r.Pos.File })
		if i < 0 {
			i = len(m.Policies)
			m.Policies = append(m.Policies, PolicyTally{Policy: r.Policy, File: r.Pos.File})
		}
		m.Policies[i].add(r.Fate)
		m.add(r.Fate)
	}
	for i := range m.Policies {
		m.Policies[i].Score = m.Policies[i].Tally.Score()
	}
	m.Score = m.Tally.Score()
	slices.SortFunc(m.Policies, func(a, b PolicyTally) int {
		return cmp.Or(cmp.Compare(a.Policy, b.Policy), cmp.Compare(a.File, b.File))
	})
	return m
}
