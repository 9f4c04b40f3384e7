package lint_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// shelf is the ready-made policies, read once.
var shelf = sync.OnceValue(func() (docs []*parse.Document) {
	for _, s := range library() {
		found, _ := parse.File(s.Name, s.Data)
		docs = append(docs, found...)
	}
	return docs
})

// plans are the policies of a text, nil unless all of it compiles.
func plans(data []byte) []*plan.Policy {
	docs, ds := parse.File("p.yaml", data)
	out, more := check.Policies(docs, shelf())
	if diag.HasErrors(ds) || diag.HasErrors(more) {
		return nil
	}
	return out
}

// sameDecisions holds that two texts whose policies compile decide alike, by the
// exact comparison of policies. It tells how many policies were proven equivalent.
func sameDecisions(t *testing.T, before, after []byte) int {
	t.Helper()
	was, is := plans(before), plans(after)
	if was == nil {
		return 0
	}
	if len(was) != len(is) {
		t.Fatalf("%d policies became %d\n%s\nto\n%s", len(was), len(is), before, after)
	}
	proven := 0
	for i := range was {
		r, err := diff.Policies(context.Background(), was[i], is[i], diff.Options{Budget: 20_000})
		if err != nil {
			t.Fatal(err)
		}
		if r.Is(diff.Widens) == exact.Yes || r.Is(diff.Narrows) == exact.Yes {
			t.Errorf("fixes changed what the policy decides: %+v\n%s\nto\n%s", r.Surfaces, before, after)
		}
		if r.Verdict == diff.Equivalent {
			proven++
		}
	}
	return proven
}

// A safe fix changes no decision of a policy that compiles.
func TestFixesChangeNoDecision(t *testing.T) {
	var texts [][]byte
	for _, info := range diag.Codes() {
		for _, s := range append(files(info.Bad), files(info.Good)...) {
			texts = append(texts, s.Data)
		}
	}
	names, err := filepath.Glob("testdata/nasty/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, data)
	}
	changed, proven := 0, 0
	for _, text := range texts {
		fixed := lint.Fix([]lint.Source{{Name: "p.yaml", Data: text}}, lint.Options{Library: library(), NoTests: true})
		if after := fixed.Sources[0].Data; !bytes.Equal(text, after) {
			changed++
			proven += sameDecisions(t, text, after)
		}
	}
	if changed < 10 || proven < 8 {
		t.Errorf("%d texts were changed, %d proven equivalent: this checks nothing", changed, proven)
	}
}
