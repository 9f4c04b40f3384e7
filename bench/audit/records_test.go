package audit_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// source makes records like those of a gateway in use: three of four requests are
// allowed and get an outcome, a few sandboxes ask a few hosts, most paths differ.
type source struct {
	rnd     *rand.Rand
	at      time.Time
	pending *schemas.Record // the outcome that comes next
}

func newSource(seed uint64) *source {
	return &source{rnd: rand.New(rand.NewPCG(seed, 1)), at: time.Date(2026, 3, 24, 10, 31, 0, 0, time.UTC)}
}

func (s *source) pick(of ...string) string { return of[s.rnd.IntN(len(of))] }

func (s *source) id() string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", s.rnd.Uint32(), s.rnd.IntN(1<<16), s.rnd.IntN(1<<12), s.rnd.IntN(1<<12), s.rnd.Int64N(1<<48))
}

// next is the next record.
func (s *source) next() *schemas.Record {
	s.at = s.at.Add(time.Duration(s.rnd.IntN(100_000)))
	if r := s.pending; r != nil {
		s.pending = nil
		r.Timestamp = s.at
		return r
	}
	box, policy := s.pick("sb-a1b2c3", "sb-d4e5f6", "sb-k2m3n4", "sb-z9y8x7"), "github-readonly"
	host := s.pick("api.github.com", "github.com", "registry.npmjs.org", "pypi.org", "files.pythonhosted.org")
	path := fmt.Sprintf("/%s/%s/%s/%d", s.pick("repos", "packages", "simple"), s.pick("org", "acme", "team"), s.pick("app", "lib", "site", "tool"), s.rnd.IntN(5000))
	allowed := s.rnd.IntN(4) > 0
	r := s.record(box, policy, host, path, allowed)
	if allowed {
		s.pending = &schemas.Record{
			Labels: r.Labels, DecisionID: r.DecisionID, Path: r.Path,
			Custom: schemas.Custom{
				Type: schemas.RecordOutcome, Sandbox: box, Agent: "claude", Policy: policy, Code: schemas.CodeAllowed,
				Outcome: &schemas.Outcome{Status: 200, Bytes: s.rnd.Int64N(20_000), DurationMS: s.rnd.Int64N(300)},
			},
		}
	}
	return r
}

func (s *source) record(box, policy, host, path string, allowed bool) *schemas.Record {
	segments := strings.Split(path, "/")[1:]
	form := schemas.PathForm{Path: path, Dir: path + "/", Segments: segments}
	d := schemas.Decision{
		Allow: allowed, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed, Rule: "outbound[0]", Policy: policy,
		Source: &schemas.Source{File: "github-readonly.yaml", Line: 12}, Revision: "3f5c1f0f6c1d4c6e8a8f4c1d9b7e2a10",
	}
	reason := ""
	if !allowed {
		d.Code, d.Message, reason = schemas.CodeMethodNotAllowed, "POST is not allowed for "+host+" by rule outbound[0] of github-readonly", "readonly policy"
	}
	return &schemas.Record{
		Labels: map[string]string{"app": "openshell-gateway", "id": "gw-0"}, DecisionID: s.id(), Path: "openshell/decision",
		Bundles: map[string]schemas.BundleInfo{"openshell": {Revision: d.Revision}},
		Input: &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Policy: policy, Sandbox: schemas.Sandbox{ID: box, Agent: "claude", Home: "/home/agent"},
			Network: &schemas.NetworkInput{
				Scheme: "https", Host: host, Port: 443, Method: s.pick("GET", "GET", "GET", "POST"), Path: path, ContentLength: -1,
				Binary: "/usr/bin/git", Ancestors: []string{"/usr/bin/bash"}, Authority: host, Parent: strings.SplitN(host, ".", 2)[1],
				HostParent: strings.SplitN(host, ".", 2)[1], Dir: path + "/", Segments: segments, Folded: form, Split: form,
			},
		},
		Result: &d, Metrics: map[string]int64{"timer_rego_query_eval_ns": 4000 + s.rnd.Int64N(4000)}, Timestamp: s.at,
		Custom: schemas.Custom{
			Type: schemas.RecordDecision, Sandbox: box, Agent: "claude", Policy: policy, Rule: d.Rule, Code: d.Code, Mode: d.Mode, Reason: reason,
		},
	}
}

// ring makes records beforehand, so that making them is not measured.
func ring(n int) []*schemas.Record {
	s := newSource(1)
	out := make([]*schemas.Record, n)
	for i := range out {
		out[i] = s.next()
	}
	return out
}
