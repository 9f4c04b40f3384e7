package analysis

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/rego/regotest"
)

// RunRego runs the Rego tests of one folder, given its modules by file name, and
// returns a suite for each file of tests.
func RunRego(ctx context.Context, modules map[string]string, choose func(name string) bool) ([]*Suite, error) {
	bySuite := map[string]*Suite{}
	for name, text := range modules {
		if strings.HasSuffix(name, "_test.rego") {
			bySuite[name] = &Suite{File: name, Cases: []CaseResult{}, Sources: map[string][]byte{name: []byte(text)}}
		}
	}
	results, err := regotest.Run(ctx, modules, choose)
	var wrong *regotest.SyntaxError
	switch {
	case errors.As(err, &wrong):
		refuse(bySuite, modules, wrong)
	case err != nil:
		return nil, err
	}
	for _, r := range results {
		if s := bySuite[r.File]; s != nil && !r.Skipped {
			s.Cases = append(s.Cases, CaseResult{
				Name: r.Name, Pos: diag.Position{File: r.File, Line: r.Line, Col: 1}, Ask: "data." + r.Package + "." + r.Name,
				Want: Want{Expect: "true"}, Pass: r.Pass, Reason: r.Reason,
			})
		}
	}
	var out []*Suite
	for _, s := range bySuite {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Suite) int { return cmp.Compare(a.File, b.File) })
	return out, nil
}

// refuse tells every suite of the folder what is wrong with its modules: none of
// them is compiled without the others.
func refuse(suites map[string]*Suite, modules map[string]string, wrong *regotest.SyntaxError) {
	for _, s := range suites {
		for _, e := range wrong.Errors {
			pos := diag.Position{File: s.File, Line: 1, Col: 1}
			if e.Location != nil {
				pos = diag.Position{File: e.Location.File, Line: e.Location.Row, Col: max(e.Location.Col, 1)}
				s.Sources[pos.File] = []byte(modules[pos.File])
			}
			s.Diagnostics = append(s.Diagnostics, diag.New("OSP1020", pos, "Rego: "+strings.TrimSpace(e.Message), "tests and extensions may use the built-ins of decisions only, and are compiled in strict mode"))
		}
	}
}
