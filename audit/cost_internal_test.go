package audit

import (
	"context"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// full is a record as a gateway writes most of them.
func full() *schemas.Record {
	segments := []string{"repos", "org", "app", "pulls"}
	form := schemas.PathForm{Path: "/repos/org/app/pulls", Dir: "/repos/org/app/pulls/", Segments: segments}
	return &schemas.Record{
		Labels: map[string]string{"app": "openshell-gateway", "id": "gw-0"}, DecisionID: "01993f2a-6c1d-4c6e-8a8f-4c1d9b7e2a10", Path: "openshell/decision",
		Bundles: map[string]schemas.BundleInfo{"openshell": {Revision: "3f5c1f0f6c1d4c6e8a8f4c1d9b7e2a10"}},
		Input: &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Policy: "github-readonly", Sandbox: schemas.Sandbox{ID: "sb-a1b2c3", Agent: "claude", Home: "/home/agent"},
			Network: &schemas.NetworkInput{
				Scheme: "https", Host: "api.github.com", Port: 443, Method: "GET", Path: form.Path, ContentLength: -1, Binary: "/usr/bin/git",
				Ancestors: []string{"/usr/bin/bash"}, Authority: "api.github.com", Parent: "github.com", HostParent: "github.com",
				Dir: form.Dir, Segments: segments, Folded: form, Split: form,
			},
		},
		Result: &schemas.Decision{
			Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed, Rule: "outbound[0]", Policy: "github-readonly",
			Source: &schemas.Source{File: "github-readonly.yaml", Line: 12}, Revision: "3f5c1f0f6c1d4c6e8a8f4c1d9b7e2a10",
		},
		Metrics: map[string]int64{"timer_rego_query_eval_ns": 5123}, Timestamp: time.Date(2026, 3, 24, 10, 31, 2, 123456789, time.UTC),
		Custom: schemas.Custom{
			Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Agent: "claude", Policy: "github-readonly", Rule: "outbound[0]",
			Code: schemas.CodeAllowed, Mode: schemas.ModeEnforce,
		},
	}
}

// BenchmarkCost is what the parts of writing and reading a record cost.
func BenchmarkCost(b *testing.B) {
	l := &line{b: make([]byte, 0, 4096)}
	text, err := l.encode(full())
	if err != nil {
		b.Fatal(err)
	}
	text = append([]byte(nil), text...)
	hasher, e := newLeafHasher(), edge{}
	for name, do := range map[string]func() error{
		"encode": func() error { _, err := l.encode(full1); return err },
		"mask":   func() error { full1.Clean = false; return MaskRecord(context.Background(), full1, nil) },
		"hash":   func() error { hasher.sum(text); return nil },
		"tree":   func() error { e.push(hasher.out); return nil },
		"fields": func() error { _, err := ParseFields(text); return err },
		"decode": func() error { _, err := decode(text); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

var full1 = full()
