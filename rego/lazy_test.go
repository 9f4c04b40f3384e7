package rego_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
)

// A lazy engine decides as an eager one does, from many goroutines at once, across
// generations.
func TestLazyDecidesAlike(t *testing.T) {
	specs := map[string]string{"a": allowA, "b": allowB, "c": `{filesystem: {writable: [/w/**]}}`}
	eager, lazy := rego.New(rego.Options{CacheSize: -1}), rego.New(rego.Options{CacheSize: -1, Lazy: true})
	for _, change := range []string{allowA, allowB, allowA} {
		specs["a"] = change
		bundle := compiled(t, specs)
		want, err := eager.Load(bundle)
		if err != nil {
			t.Fatal(err)
		}
		got, err := lazy.Load(bundle)
		if err != nil {
			t.Fatal(err)
		}
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for policy := range specs {
					for _, in := range []*schemas.DecisionInput{get(t, policy, "https://a.example.com/"), command(t, policy, "ls")} {
						if w, g := want.Decide(t.Context(), in), got.Decide(t.Context(), in); w.Code != g.Code || w.Message != g.Message {
							t.Errorf("%s: got %+v, want %+v", policy, g, w)
						}
					}
					if w, g := want.Destinations(policy).Names("a.example.com"), got.Destinations(policy).Names("a.example.com"); w != g {
						t.Errorf("%s names the host: got %t, want %t", policy, g, w)
					}
				}
			})
		}
		asking.Wait()
	}
}

// A policy that does not compile is refused with its bundle, or where that is left to
// the first use denies whatever it is asked; the others decide.
func TestLazyFailsClosed(t *testing.T) {
	broken := func() *archive.Archive {
		a, err := archive.Read(compiled(t, map[string]string{"a": allowA, "b": allowB}))
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Files {
			if strings.HasPrefix(a.Files[i].Name, "openshell/policies/a/") {
				a.Files[i].Data = append(a.Files[i].Data, "\nhit contains 0 if http.send({})\n"...)
			}
		}
		return a
	}
	if _, err := rego.New(rego.Options{}).LoadArchive(broken()); err == nil {
		t.Error("an eager engine took it")
	}
	var told atomic.Int64
	g, err := rego.New(rego.Options{Lazy: true, Failed: func(policy string, err error) {
		if told.Add(1); policy != "a" || err == nil {
			t.Errorf("told of %s: %v", policy, err)
		}
	}}).LoadArchive(broken())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, in := range []*schemas.DecisionInput{get(t, "a", "https://a.example.com/"), command(t, "a", "ls")} {
			if d := g.Decide(t.Context(), in); d.Passes() || d.Code != schemas.CodePolicyError {
				t.Errorf("got %+v", d)
			}
		}
	}
	if g.Destinations("a").Names("a.example.com") || told.Load() != 1 {
		t.Errorf("it names a host, or was told of %d times", told.Load())
	}
	if d := g.Decide(t.Context(), get(t, "b", "https://b.example.com/")); !d.Allow {
		t.Errorf("the other policy: %+v", d)
	}
}
