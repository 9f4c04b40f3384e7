package bench_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
)

// policyText is a policy of n allow rules with labels, methods and one path.
func policyText(name string, n int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata:\n  name: %s\n  labels: {tier: bench}\nspec:\n  network:\n    outbound:\n", name)
	for i := range n {
		fmt.Fprintf(&b, "      - host: host%d.example.com\n        methods: [GET, POST]\n        paths: [\"/repos/%d/**\"]\n", i, i)
	}
	return []byte(b.String())
}

func compile(tb testing.TB, cache *compiler.Cache, sources ...compiler.Source) *compiler.Result {
	tb.Helper()
	r := policyset.Compile(sources, compiler.Options{Cache: cache})
	if r.Bundle == nil {
		tb.Fatalf("does not compile: %+v", r.Diagnostics[0])
	}
	return r
}

// BenchmarkCompile measures the text of a policy to its bundle.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 200, 1000, 10000} {
		source := compiler.Source{Name: "bench.yaml", Data: policyText("bench", n)}
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			for b.Loop() {
				compile(b, nil, source)
			}
		})
	}
}

// BenchmarkReload measures the text of a changed policy of 200 rules to its being
// in force, alone and beside nine of that size that did not change.
func BenchmarkReload(b *testing.B) {
	for _, others := range []int{0, 9} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) { benchmarkReload(b, others) })
	}
}

func benchmarkReload(b *testing.B, others int) {
	var unchanged []compiler.Source
	for i := range others {
		name := fmt.Sprintf("other%d", i)
		unchanged = append(unchanged, compiler.Source{Name: name + ".yaml", Data: policyText(name, 200)})
	}
	engine, cache := rego.New(rego.Options{}), new(compiler.Cache)
	reload := func(n int) {
		changed := compiler.Source{Name: "bench.yaml", Data: policyText("bench", n)}
		if _, err := engine.Load(compile(b, cache, append(slices.Clone(unchanged), changed)...).Bundle); err != nil {
			b.Fatal(err)
		}
	}
	n := 200
	reload(n)
	for b.Loop() {
		n = 401 - n // 200 and 201 in turn
		reload(n)
	}
}
