package bench_test

import (
	"fmt"
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

func compile(tb testing.TB, sources ...compiler.Source) *compiler.Result {
	tb.Helper()
	r := policyset.Compile(sources, compiler.Options{})
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
				compile(b, source)
			}
		})
	}
}

// BenchmarkReload measures the text of a changed policy to its being in force,
// beside nine policies that did not change.
func BenchmarkReload(b *testing.B) {
	var others []compiler.Source
	for i := range 9 {
		name := fmt.Sprintf("other%d", i)
		others = append(others, compiler.Source{Name: name + ".yaml", Data: policyText(name, 200)})
	}
	b.Run("rules=200", func(b *testing.B) {
		engine := rego.New(rego.Options{})
		reload := func(n int) {
			sources := append(others[:len(others):len(others)], compiler.Source{Name: "bench.yaml", Data: policyText("bench", n)})
			if _, err := engine.Load(compile(b, sources...).Bundle); err != nil {
				b.Fatal(err)
			}
		}
		n := 200
		reload(n)
		for b.Loop() {
			n = 401 - n // 200 and 201 in turn
			reload(n)
		}
	})
}
