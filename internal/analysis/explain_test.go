package analysis_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/schemas"
)

// Rules tried alone agree with the decision by all of them: the last one that
// matches decides, a near miss matches nothing, and what is added allows.
func TestExplainAgreesWithTheDecision(t *testing.T) {
	decided, nearest, added := 0, 0, 0
	for _, name := range []string{"full-dev", "github-push"} {
		source := sourceOf(t, "../../policies/"+name+".yaml")
		text := sourceOf(t, "../../policies/"+name+"_test.yaml")
		docs, _ := parse.File(text.Name, text.Data)
		for i, c := range docs[0].Test.Spec.Cases {
			if i%2 == 1 || len(c.With) > 0 || c.Policy != "" && c.Policy != name {
				continue
			}
			q := analysis.Question{Request: c.Request, File: c.File, Command: c.Command}
			e, err := runner().Explain(context.Background(), []compiler.Source{source}, name, q)
			if err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			steps := e.Steps
			for i, s := range steps {
				if s.Decides && i != len(steps)-1 || s.Decides && !s.Matches {
					t.Errorf("%+v: step %d of %d: %+v", c, i, len(steps), s)
				}
			}
			switch d := e.Decision; {
			case d.Source != nil && (d.Allow || slices.Contains([]schemas.Code{schemas.CodeDeniedRule, schemas.CodeBlockedPath, schemas.CodeBlockedCommand}, d.Code)):
				decided++
				if len(steps) == 0 || !steps[len(steps)-1].Decides {
					t.Errorf("%+v: %s decides, and no step: %+v", c, d.Rule, steps)
				}
			case d.Source != nil && strings.HasSuffix(string(d.Code), "_not_allowed"):
				nearest++
				if n := count(steps, func(s analysis.Step) bool { return s.Nearest }); n != 1 || count(steps, func(s analysis.Step) bool { return s.Matches }) > 0 {
					t.Errorf("%+v: %s is nearest: %+v", c, d.Rule, steps)
				}
			}
			if e.Addition != nil {
				added++
			}
			if !e.Decision.Allow && e.Addition == nil && e.Advice == "" {
				t.Errorf("%+v: denied, and no word on what to do", c)
			}
		}
	}
	if decided < 10 || nearest < 3 || added < 5 {
		t.Errorf("%d decided, %d near misses, %d additions: too few to tell", decided, nearest, added)
	}
}

func count(steps []analysis.Step, is func(analysis.Step) bool) int {
	n := 0
	for _, s := range steps {
		if is(s) {
			n++
		}
	}
	return n
}
