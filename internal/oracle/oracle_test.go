package oracle_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

const (
	policiesInBundle = 6
	inputsOfPolicy   = 1000
)

// tally counts what the batches saw.
type tally struct {
	sync.Mutex
	policies, refused, inputs, stock, failures int

	every int // as many inputs for each that stock OPA decides
	codes map[schemas.Code]int
	kinds map[schemas.Kind]int
	shown map[string]bool // disagreements, by what differs
}

// mustSee are the codes that decisions by a policy can have.
var mustSee = []schemas.Code{
	schemas.CodeAllowed, schemas.CodeDeniedRule, schemas.CodeHostNotInPolicy, schemas.CodePortNotAllowed,
	schemas.CodeSchemeNotAllowed, schemas.CodeBinaryNotAllowed, schemas.CodeMethodNotAllowed, schemas.CodePathNotAllowed,
	schemas.CodeQueryNotAllowed, schemas.CodeWebSocketNotAllowed, schemas.CodeBlockedPath, schemas.CodeNotWritable,
	schemas.CodeNotReadable, schemas.CodeCommandNotAllowed, schemas.CodeBlockedCommand, schemas.CodeUntrustedProgram,
	schemas.CodeBadRequest, schemas.CodeNoPolicy,
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s: %q is not a number above zero", name, text)
	}
	return n
}

// The engine, stock OPA with and without its rule index and a plain reading of
// the policy language decide alike. OPENSHELL_ORACLE_REQUESTS says how many
// requests are drawn, OPENSHELL_ORACLE_SEED where drawing begins. Stock OPA takes
// milliseconds for a request, so that it is asked about every 25th, or as many as
// OPENSHELL_ORACLE_STOCK says.
func TestEveryEvaluatorDecidesAlike(t *testing.T) {
	requests, seed := setting(t, "OPENSHELL_ORACLE_REQUESTS", 20_000), setting(t, "OPENSHELL_ORACLE_SEED", 1)
	seen := &tally{every: setting(t, "OPENSHELL_ORACLE_STOCK", 25), codes: map[schemas.Code]int{}, kinds: map[schemas.Kind]int{}, shown: map[string]bool{}}
	t.Run("batches", func(t *testing.T) {
		for i := 0; i*policiesInBundle*inputsOfPolicy < requests; i++ {
			t.Run(strconv.Itoa(seed+i), func(t *testing.T) {
				t.Parallel()
				batch(t, uint64(seed+i), seen)
			})
		}
	})
	t.Logf("%d policies, %d refused; %d inputs %v, %d of them by stock OPA, %d disagreements; codes %v", seen.policies, seen.refused, seen.inputs, seen.kinds, seen.stock, seen.failures, seen.codes)
	for _, code := range mustSee {
		if seen.codes[code] == 0 {
			t.Errorf("no decision was %s", code)
		}
	}
	if 2*seen.refused > seen.policies {
		t.Errorf("%d of %d policies do not compile", seen.refused, seen.policies)
	}
	if seen.inputs < requests/2 || seen.stock < seen.inputs/seen.every/2 {
		t.Errorf("%d inputs, %d by stock OPA, of %d requests", seen.inputs, seen.stock, requests)
	}
}

// batch draws the policies of a bundle, and requests for each.
func batch(t *testing.T, seed uint64, seen *tally) {
	s := newSource(seed)
	var policies []*schemas.SandboxPolicy
	for i := range policiesInBundle {
		policies = append(policies, s.policy(fmt.Sprintf("p%d", i)))
	}
	w, err := newWorld(policies)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for name, why := range w.refused {
		if os.Getenv("OPENSHELL_ORACLE_REFUSED") != "" {
			t.Logf("seed %d: %s: %s", seed, name, why)
		}
	}
	seen.count(func() { seen.policies += len(policies); seen.refused += len(w.refused) })
	for _, p := range w.policies {
		for range inputsOfPolicy * policiesInBundle / len(w.policies) {
			name := p.Metadata.Name
			if s.IntN(400) == 0 {
				name = "unknown"
			}
			for _, in := range s.inputs(name) {
				if !check(t, w, in, s.IntN(seen.every) == 0, seen) && t.Failed() {
					t.Logf("seed %d", seed)
				}
			}
		}
	}
}

func (s *tally) count(fn func()) {
	s.Lock()
	defer s.Unlock()
	fn()
}

func check(t *testing.T, w *world, in *schemas.DecisionInput, stock bool, seen *tally) bool {
	t.Helper()
	a, err := w.ask(in, stock)
	if err != nil {
		t.Errorf("%s: %v", render(in), err)
		return false
	}
	seen.count(func() {
		seen.inputs++
		if stock {
			seen.stock++
		}
		seen.codes[a.Engine.Code]++
		seen.kinds[in.Kind]++
	})
	if a.agree() {
		return true
	}
	t.Fail()
	if !seen.news(a) {
		return false
	}
	if p := w.policy(in.Policy); p != nil {
		p, a = smallest(p, in, a)
		t.Logf("policy:\n%s", render(p.Spec))
	}
	t.Logf("input:\n%s\nanswers:\n%s", render(in), a)
	return false
}

// news tells whether a disagreement differs from those that were shown.
func (s *tally) news(a *asks) bool {
	list := func(rule string) string { return strings.TrimRight(rule, "[]0123456789") }
	key := fmt.Sprint(a.Oracle.Code, list(a.Oracle.Rule), a.Engine.Code, list(a.Engine.Rule), a.Indexed != nil && a.Indexed.Code != a.Engine.Code, a.Plain != nil && a.Plain.Code != a.Engine.Code)
	s.Lock()
	defer s.Unlock()
	s.failures++
	old := s.shown[key]
	s.shown[key] = true
	return !old
}
