// Package analysis_test measures the comparison of policies.
package analysis_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// policy has n allow rules and twenty deny rules: half of the hosts exact, half
// wildcards, with methods and one to three paths, some with a query. Every tenth
// rule has a path more if changed.
func policy(tb testing.TB, n int, changed bool) *plan.Policy {
	tb.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec:\n  network:\n    outbound:\n")
	for i := range n {
		host := fmt.Sprintf("h%d.team%d.example.com", i, i%97)
		switch i % 4 {
		case 1:
			host = fmt.Sprintf("*.w%d.example.org", i)
		case 3:
			host = fmt.Sprintf("**.d%d.example.net", i)
		}
		paths := fmt.Sprintf("/api/v%d/**", i%9)
		if i%3 > 0 {
			paths += fmt.Sprintf(", /repos/*/t%d", i%13)
		}
		if changed && i%10 == 0 {
			paths += ", /new/**"
		}
		fmt.Fprintf(&b, "      - {host: '%s', methods: [GET, POST], paths: [%s]", host, paths)
		if i%25 == 0 {
			b.WriteString(", query: {ref: [main, 'v*']}")
		}
		b.WriteString("}\n")
	}
	b.WriteString("    denied:\n")
	for i := range 20 {
		fmt.Fprintf(&b, "      - {host: 'h%d.team%d.example.com', methods: [POST], paths: [/api/*/admin]}\n", i*2, i*2%97)
	}
	docs, ds := parse.File("p.yaml", []byte(b.String()))
	policies, found := check.Policies(docs, nil)
	if ds = append(ds, found...); diag.HasErrors(ds) {
		tb.Fatal(ds[0])
	}
	return policies[0]
}

// The diff of two policies, a tenth of whose rules changed.
func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		before, after := policy(b, n, false), policy(b, n, true)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			changes := 0
			for b.Loop() {
				r, err := diff.Policies(context.Background(), before, after, diff.Options{})
				if err != nil || r.Verdict != diff.Wider {
					b.Fatal(err, r)
				}
				changes = len(r.Surfaces[1].Changes)
			}
			if changes < n/10 {
				b.Fatalf("%d changes", changes)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/(1<<20), "MB-sys")
		})
	}
}

// The diff of two policies that people write, files and commands included.
func BenchmarkDiffLibrary(b *testing.B) {
	sources, err := policyset.Load("github-readonly", "full-dev")
	if err != nil {
		b.Fatal(err)
	}
	r := policyset.Compile(sources, compiler.Options{})
	for b.Loop() {
		if _, err := diff.Policies(context.Background(), r.Policies[0], r.Policies[1], diff.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// Twelve words anywhere in a command make 2^12 classes of argument lists: an
// answer, or none, in less than two seconds.
func BenchmarkFloatingPatterns(b *testing.B) {
	floating := func(words string, more ...string) *plan.Policy {
		list := more
		for _, w := range words {
			list = append(list, "'run * "+string(w)+" *'")
		}
		text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {execution: {allowed_commands: [" + strings.Join(list, ", ") + "]}}\n"
		docs, ds := parse.File("p.yaml", []byte(text))
		policies, found := check.Policies(docs, nil)
		if ds = append(ds, found...); diag.HasErrors(ds) {
			b.Fatal(ds[0])
		}
		return policies[0]
	}
	for _, test := range []struct {
		name          string
		before, after *plan.Policy
	}{
		{"one-more", floating("abcdefghijkl"), floating("abcdefghijklm")},
		{"others", floating("abcdefghijkl"), floating("mnopqrstuvwx")},
		{"covered", floating("abcdefghijkl"), floating("abcdefghijkl", "'run * a * b *'")},
	} {
		b.Run(test.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := diff.Policies(context.Background(), test.before, test.after, diff.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
