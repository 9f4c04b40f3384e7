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

// many is one policy of n rules: half exact hosts, half wildcards, three paths each.
func many(n int) []byte {
	var b strings.Builder
	b.WriteString(policyText("  network:\n    outbound:\n"))
	for i := range n {
		host := fmt.Sprintf("h%d.example.com", i)
		if i%2 == 1 {
			host = fmt.Sprintf("*.h%d.example.org", i)
		}
		fmt.Fprintf(&b, "      - {host: %q, scheme: https, methods: [GET, POST], paths: [\"/a%d/**\", \"/b/*/c\", \"/d\"]}\n", host, i)
	}
	b.WriteString("    denied:\n")
	for i := range n / 50 {
		fmt.Fprintf(&b, "      - {host: h%d.example.com, paths: [\"/a%d/x/**\"]}\n", 2*i, 2*i)
	}
	return []byte(b.String())
}

func BenchmarkLintManyRules(b *testing.B) {
	for _, n := range []int{100, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sources := []lint.Source{{Name: "p.yaml", Data: many(n)}}
			b.ReportAllocs()
			for b.Loop() {
				if r := lint.Run(sources, lint.Options{NoTests: true}); r.Policies != 1 {
					b.Fatal(r.Diagnostics[0])
				}
			}
		})
	}
}
