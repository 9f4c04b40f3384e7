package rego_test

import (
	"fmt"
	"testing"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// rules plans n allow rules, half on exact hosts, a quarter on one label and a
// quarter on any depth, with methods and one to three paths, and twenty deny
// rules.
func rules(tb testing.TB, n int) *plan.Policy {
	tb.Helper()
	p := &plan.Policy{Name: "bench", Pos: diag.Position{File: "bench.yaml", Line: 1}, Mode: schemas.ModeEnforce}
	for i := range 20 {
		r := network(tb, fmt.Sprintf("denied[%d]", i), i, fmt.Sprintf("evil%d.test", i), nil, nil)
		r.AnyPort, r.Endpoints = true, []plan.Endpoint{{Scheme: "https"}, {Scheme: "http"}}
		p.Network.Denied = append(p.Network.Denied, r)
	}
	for i := range n {
		host := fmt.Sprintf("host%d.test", i)
		switch i % 4 {
		case 1:
			host = "*." + host
		case 3:
			host = "**." + host
		}
		paths := []string{fmt.Sprintf("/repos/%d/**", i), "/users/*/keys", "/health"}[:1+i%3]
		r := network(tb, fmt.Sprintf("outbound[%d]", i), i, host, []string{"GET", "HEAD"}, paths)
		r.Endpoints = []plan.Endpoint{{Scheme: "https", Port: 443}, {Scheme: "http", Port: 80}}
		p.Network.Outbound = append(p.Network.Outbound, r)
	}
	return p
}

func network(tb testing.TB, id string, line int, host string, methods, paths []string) plan.NetworkRule {
	tb.Helper()
	h, err := glob.Host(host)
	if err != nil {
		tb.Fatal(err)
	}
	r := plan.NetworkRule{
		Origin: plan.Origin{ID: id, Pos: diag.Position{File: "bench.yaml", Line: line}, Text: host},
		Host:   h, Methods: methods, Written: methods, Mode: schemas.ModeEnforce,
	}
	for _, s := range paths {
		g, err := glob.URLPath(s)
		if err != nil {
			tb.Fatal(err)
		}
		r.Paths = append(r.Paths, g)
	}
	return r
}

func bundleOf(tb testing.TB, n int) []byte {
	tb.Helper()
	data, _, err := bundle.Build([]*plan.Policy{rules(tb, n)}, bundle.Options{Library: rego.Library()})
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func engine(tb testing.TB, n, cache int) *rego.Generation {
	tb.Helper()
	e := rego.New(rego.Options{CacheSize: cache})
	g, err := e.Load(bundleOf(tb, n))
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func ask(method, host, parent, path string, segments ...string) *schemas.DecisionInput {
	form := schemas.PathForm{Path: path, Dir: path + "/", Segments: segments}
	return &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "bench", Network: &schemas.NetworkInput{
		Scheme: "https", Host: host, Port: 443, Method: method, Path: path, Query: map[string][]string{},
		Authority: host, Parent: parent, HostParent: parent, Dir: path + "/", Segments: segments,
		Folded: form, Split: form, Ancestors: []string{},
	}}
}

var questions = []struct {
	name string
	in   *schemas.DecisionInput
	code schemas.Code
}{
	{"allow", ask("GET", "host0.test", "test", "/repos/0/x", "repos", "0", "x"), schemas.CodeAllowed},
	{"allow_wildcard", ask("GET", "a.host1.test", "host1.test", "/users/bob/keys", "users", "bob", "keys"), schemas.CodeAllowed},
	{"unknown_host", ask("GET", "nowhere.test", "test", "/x", "x"), schemas.CodeHostNotInPolicy},
	{"wrong_method", ask("POST", "host0.test", "test", "/repos/0/x", "repos", "0", "x"), schemas.CodeMethodNotAllowed},
	{"wrong_path", ask("GET", "host0.test", "test", "/other", "other"), schemas.CodePathNotAllowed},
	{"denied", ask("GET", "evil3.test", "test", "/x", "x"), schemas.CodeDeniedRule},
}

// BenchmarkDecide measures an uncached network decision, input included.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			g := engine(b, n, -1)
			for _, q := range questions {
				b.Run(q.name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if d := g.Decide(b.Context(), q.in); d.Code != q.code {
							b.Fatalf("got %s: %s, want %s", d.Code, d.Message, q.code)
						}
					}
				})
			}
		})
	}
}

// BenchmarkDecideCached measures a repeated decision.
func BenchmarkDecideCached(b *testing.B) {
	g := engine(b, 1000, 0)
	in := questions[0].in
	b.ReportAllocs()
	for b.Loop() {
		g.Decide(b.Context(), in)
	}
}

// BenchmarkLoad measures bundle to live, the reading of the tar included.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{10, 200, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			data := bundleOf(b, n)
			for b.Loop() {
				if _, err := rego.New(rego.Options{}).Load(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBuild measures plan to bundle.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			p := rules(b, n)
			for b.Loop() {
				if _, _, err := bundle.Build([]*plan.Policy{p}, bundle.Options{Library: rego.Library()}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
