package oracle_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/prove"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/schemas"
)

// claimed is a pattern over requests, as text and as the rule that the plain
// reading takes it for.
type claimed struct {
	text string
	rule schemas.NetworkRule
}

func (s source) claimed() claimed {
	r := schemas.NetworkRule{Host: s.hostGlob(), Scheme: pick(s, schemas.SchemeHTTPS, schemas.SchemeHTTP, schemas.SchemeAny), Methods: some(s, 1, 3, s.method)}
	if strings.Contains(r.Host, ":") {
		r.Host = "192.0.2.1"
	}
	path := "/**"
	if s.chance(70) {
		path = s.pathGlob(true)
		path = "/" + strings.TrimPrefix(strings.TrimPrefix(path, "**/"), "/")
		r.Paths = []string{path}
	}
	scheme := string(r.Scheme)
	if r.Scheme == schemas.SchemeAny {
		scheme = "*"
	}
	return claimed{strings.Join(r.Methods, ",") + " " + scheme + "://" + r.Host + path, r}
}

// Claims about random policies are decided, and random requests never contradict
// what is proved. Refutations are decided by the engine within Policy.
func TestProofsAgreeWithTheEngine(t *testing.T) {
	rounds, seed := setting(t, "OPENSHELL_ORACLE_PAIRS", 20), setting(t, "OPENSHELL_ORACLE_SEED", 1)
	verdicts, held := map[prove.Verdict]int{}, 0
	for i := range rounds {
		t.Run(strconv.Itoa(seed+i), func(t *testing.T) {
			s := newSource(uint64(seed+i) << 24)
			p := s.policy("p")
			if p.Spec.Network == nil {
				return
			}
			subject := newSide(t, p)
			if subject == nil {
				return
			}
			claims := []claimed{s.claimed(), s.claimed(), s.claimed(), s.claimed()}
			results := provedOf(t, subject, claims)
			for _, r := range results {
				verdicts[r.Verdict]++
			}
			for range 1500 {
				inputs := s.readings(schemas.DecisionInput{Policy: "p"})
				if len(inputs) > 0 {
					held += contradictProof(t, subject, inputs, claims, results, p)
				}
			}
		})
	}
	t.Logf("%d requests were about what is proved; verdicts %v", held, verdicts)
	if verdicts[prove.Proved] < rounds || verdicts[prove.Refuted] < rounds || held < rounds {
		t.Errorf("verdicts %v, %d requests about what is proved", verdicts, held)
	}
}

// provedOf decides never, always and only for each pattern, in this order.
func provedOf(t *testing.T, subject *side, claims []claimed) []prove.Result {
	t.Helper()
	var list []schemas.Invariant
	for i, c := range claims {
		list = append(list,
			schemas.Invariant{Name: fmt.Sprintf("n%d", i), Never: []string{c.text}},
			schemas.Invariant{Name: fmt.Sprintf("a%d", i), Always: []string{c.text}},
			schemas.Invariant{Name: fmt.Sprintf("o%d", i), Only: []string{c.text}})
	}
	text, err := json.Marshal(schemas.PolicyInvariants{
		APIVersion: schemas.APIVersion, Kind: schemas.KindPolicyInvariants, Metadata: schemas.Metadata{Name: "i"}, Spec: schemas.PolicyInvariantsSpec{Invariants: list},
	})
	if err != nil {
		t.Fatal(err)
	}
	docs, ds := parse.File("i.yaml", text)
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	invariants, ds := prove.Parse(docs[0])
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	results, err := prove.Policy(context.Background(), invariants, subject.plan, prove.Options{Evaluator: analysis.Evaluator{Generation: subject.engine}})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 3*len(claims) {
		t.Fatalf("%d results", len(results))
	}
	return results
}

func contradictProof(t *testing.T, subject *side, inputs []*schemas.DecisionInput, claims []claimed, results []prove.Result, p *schemas.SandboxPolicy) (held int) {
	t.Helper()
	passes := passesAll(subject, inputs)
	for i, c := range claims {
		wide, narrow := true, true
		for _, in := range inputs {
			wide = wide && denies(&c.rule, in.Network)
			_, missed := allows(&schemas.Network{}, &c.rule, in.Network)
			narrow = narrow && missed == ""
		}
		loose := c.rule
		loose.EncodedSlash = "allow"
		inside := true
		for _, in := range inputs {
			_, missed := allows(&schemas.Network{}, &loose, in.Network)
			inside = inside && missed == ""
		}
		for k, about := range []bool{wide && passes, narrow && !passes, passes && !inside} {
			if results[3*i+k].Verdict != prove.Proved {
				continue
			}
			if wide || narrow {
				held++
			}
			if about {
				t.Fatalf("%s %s is said to be proved, but passes is %t for\n%s\npolicy: %s", results[3*i+k].Claim, c.text, passes, render(inputs[0]), render(p.Spec.Network))
			}
		}
	}
	return held
}
