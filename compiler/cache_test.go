package compiler_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
)

// With a cache the bundles and findings are those without, whatever changed in
// between: a policy, a base of it, a name, what the library holds.
func TestCacheChangesNothing(t *testing.T) {
	of := func(name, spec string) string { return strings.Replace(head, "NAME", name, 1) + "spec: " + spec + "\n" }
	source := func(file, text string) compiler.Source { return compiler.Source{Name: file, Data: []byte(text)} }
	base := func(host string) string { return of("base", "{network: {outbound: [{host: "+host+"}]}}") }
	own := of("own", "{extends: [base]}")
	steps := [][]compiler.Source{
		{source("own.yaml", own), source("base.yaml", base("a.example.com"))},
		{source("own.yaml", own), source("base.yaml", base("a.example.com"))},
		{source("own.yaml", own), source("base.yaml", base("b.example.com"))},
		{source("own.yaml", own), source("moved.yaml", base("b.example.com"))},
		{source("own.yaml", own)}, // the library's base
		{source("own.yaml", own), source("base.yaml", "spec: [\n")},
		{source("own.yaml", own), source("base.yaml", base("*.com"))},
		{source("own.yaml", of("own", "{}")), source("base.yaml", base("a.example.com"))},
		{source("own.yaml", of("own", "{extends: [third]}")), source("third.yaml", of("third", "{extends: [base]}"))},
	}
	library := []compiler.Source{source("library/base.yaml", base("library.example.com"))}
	cache := new(compiler.Cache)
	for i, sources := range steps {
		opts := compiler.Options{Rego: rego.Library(), Library: library}
		want := compiler.Compile(sources, opts)
		opts.Cache = cache
		got := compiler.Compile(sources, opts)
		if !bytes.Equal(got.Bundle, want.Bundle) || got.Revision != want.Revision {
			t.Errorf("step %d: another bundle with the cache", i)
		}
		if diff := cmp.Diff(fmt.Sprint(want.Diagnostics), fmt.Sprint(got.Diagnostics)); diff != "" {
			t.Errorf("step %d: findings (-without +with):\n%s", i, diff)
		}
	}
}

// A cache may be shared.
func TestCacheIsShared(t *testing.T) {
	cache := new(compiler.Cache)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			text := strings.Replace(head, "NAME", fmt.Sprintf("p%d", i), 1) + "spec: {}\n"
			for range 5 {
				r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library(), Cache: cache})
				if r.Bundle == nil || r.Policies[0].Name != fmt.Sprintf("p%d", i) {
					t.Error(r.Diagnostics)
				}
			}
		})
	}
	all.Wait()
}
