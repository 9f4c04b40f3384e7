package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler/lint"
)

// thousand is a thousand policies in as many files: the ready-made ones again and
// again, each under a name of its own.
func thousand() []lint.Source {
	var out []lint.Source
	for i := 0; len(out) < 1000; i++ {
		for _, s := range library() {
			name := strings.TrimSuffix(strings.TrimPrefix(s.Name, "library/"), ".yaml")
			text := strings.Replace(string(s.Data), "name: "+name+"\n", fmt.Sprintf("name: %s-%d\n", name, i), 1)
			if len(out) < 1000 {
				out = append(out, lint.Source{Name: fmt.Sprintf("p%d/%s.yaml", i, name), Data: []byte(text)})
			}
		}
	}
	return out
}

func BenchmarkLintThousandPolicies(b *testing.B) {
	sources, opts := thousand(), lint.Options{Library: library()}
	b.ReportAllocs()
	for b.Loop() {
		if r := lint.Run(sources, opts); r.Policies != 1000 {
			b.Fatalf("%d policies, %v", r.Policies, r.Diagnostics[0])
		}
	}
}
