package analysis_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/analysis"
)

const mutatedPolicy = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: base}
spec:
  network:
    outbound:
      - {host: a.example.com, methods: [GET], paths: [/x]}
      - {host: b.example.com, methods: [GET], paths: [/x]}
  filesystem: {writable: [/workspace/**], sensitive: allow, baseline: none}
  execution: {blocked_commands: [sudo]}
---
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: child}
spec: {extends: [base]}
`

const mutatedTest = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  policy: base
  cases:
    - {request: GET https://a.example.com/x, expect: allow}
    - {request: GET https://b.example.com/x, expect: allow, rule: "outbound[1]"}
    - {file: write /workspace/a/b, expect: allow, rule: "filesystem.writable[0]"}
    - {policy: child, command: sudo ls, expect: deny}
`

// fates runs a mutation and lists the mutants by fate.
func fates(t *testing.T, files map[string]string, names ...string) map[analysis.Fate][]string {
	t.Helper()
	dir := write(t, files)
	var paths []string
	for _, n := range names {
		paths = append(paths, filepath.Join(dir, n))
	}
	suites, err := runner().RunAll(context.Background(), paths, 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := runner().Mutate(context.Background(), suites, 2)
	if err != nil {
		t.Fatal(err)
	}
	out := map[analysis.Fate][]string{}
	for _, r := range m.Mutants {
		out[r.Fate] = append(out[r.Fate], r.Policy+" "+string(r.Operator)+" "+r.Rule+" "+r.Change)
		if (r.Fate == analysis.Killed) != (r.By != nil) || (r.Fate == analysis.Survived) != (r.Diff != "") {
			t.Errorf("%s %s: by %v, diff %q", r.Rule, r.Fate, r.By, r.Diff)
		}
	}
	return out
}

func TestMutate(t *testing.T) {
	got := fates(t, map[string]string{"p.yaml": mutatedPolicy, "t_test.yaml": mutatedTest}, "t_test.yaml")
	want := map[analysis.Fate][]string{
		analysis.Killed: {
			"base drop outbound[0] a.example.com", "base move outbound[0] a.example.com to denied",
			"base drop outbound[1] b.example.com", "base move outbound[1] b.example.com to denied",
			"base drop filesystem.writable[0] /workspace/**", "base narrow filesystem.writable[0] /workspace/** becomes /workspace/*",
			"base move filesystem.writable[0] /workspace/** to readonly",
			"base drop execution.blocked_commands[0] sudo", // by the case of what extends it
			"child drop extends[0] base",
		},
		analysis.Survived: {
			"base set mode mode: audit", "base set sensitive sensitive: block", "base set baseline baseline: runtime",
			// The wider host of outbound[0] also takes b.example.com, and then the
			// case that names outbound[1] would notice: it does.
			"base widen outbound[0] methods: POST added", "base widen outbound[0] paths: /x becomes /*",
			"base widen outbound[1] host: b.example.com becomes *.example.com", "base widen outbound[1] methods: POST added",
			"base widen outbound[1] paths: /x becomes /*", "base widen filesystem.writable[0] /workspace/** becomes /**",
			"child set mode mode: audit",
		},
	}
	want[analysis.Killed] = append(want[analysis.Killed], "base widen outbound[0] host: a.example.com becomes *.example.com")
	for fate := range want {
		slices.Sort(got[fate])
		slices.Sort(want[fate])
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got (-) want (+):\n%s", diff)
	}
}

// A drop is not noticed because the rules behind it are numbered anew.
func TestMutateIsNotKilledByNumbers(t *testing.T) {
	test := strings.Replace(mutatedTest, "    - {request: GET https://a.example.com/x, expect: allow}\n", "", 1)
	got := fates(t, map[string]string{"p.yaml": mutatedPolicy, "t_test.yaml": test}, "t_test.yaml")
	if !slices.Contains(got[analysis.Survived], "base drop outbound[0] a.example.com") {
		t.Errorf("survived: %v", got[analysis.Survived])
	}
}

// A policy that no case asks by name is left alone; a suite that does ask it
// brings its mutants, and the cases of the first suite still kill.
func TestMutateOverSuites(t *testing.T) {
	child := strings.Replace(mutatedTest, "policy: base", "policy: child", 1)
	child = strings.Replace(child, "filesystem.writable[0]", "base/filesystem.writable[0]", 1)
	child = strings.Replace(child, "outbound[1]", "base/outbound[1]", 1)
	only := fates(t, map[string]string{"p.yaml": mutatedPolicy, "c_test.yaml": child}, "c_test.yaml")
	for fate, list := range only {
		if i := slices.IndexFunc(list, func(s string) bool { return !strings.HasPrefix(s, "child ") }); i >= 0 {
			t.Errorf("%s: %s", fate, list[i])
		}
	}
	base := strings.Replace(mutatedTest, "    - {request: GET https://a.example.com/x, expect: allow}\n", "", 1)
	both := fates(t, map[string]string{"p.yaml": mutatedPolicy, "c_test.yaml": child, "t_test.yaml": base}, "c_test.yaml", "t_test.yaml")
	if !slices.Contains(both[analysis.Killed], "base drop outbound[0] a.example.com") {
		t.Errorf("killed: %v", both[analysis.Killed])
	}
}

func TestMutateRefusesFailingSuites(t *testing.T) {
	test := strings.Replace(mutatedTest, "expect: deny", "expect: allow", 1)
	dir := write(t, map[string]string{"p.yaml": mutatedPolicy, "t_test.yaml": test})
	suites, err := runner().RunAll(context.Background(), []string{filepath.Join(dir, "t_test.yaml")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner().Mutate(context.Background(), suites, 1); !errors.Is(err, analysis.ErrFailing) {
		t.Errorf("got %v", err)
	}
}

// The verdict on a mutant is that of the whole way: its text in the file, the
// compiler, the bundle, the engine and every case.
func TestMutantsAreJudgedAsTheEngineWould(t *testing.T) {
	for _, name := range []string{"github-readonly", "full-dev", "github-push"} {
		t.Run(name, func(t *testing.T) {
			file := "../../policies/" + name + "_test.yaml"
			suites, err := runner().RunAll(context.Background(), []string{file}, 1)
			if err != nil {
				t.Fatal(err)
			}
			m, err := runner().Mutate(context.Background(), suites, 2)
			if err != nil {
				t.Fatal(err)
			}
			judgeAgain(t, file, name, m)
		})
	}
}

func judgeAgain(t *testing.T, file, name string, m *analysis.Mutation) {
	source := sourceOf(t, "../../policies/"+name+".yaml")
	docs, _ := parse.File(source.Name, source.Data)
	killed, survived := 0, 0
	for n, mutant := range mutate.Of(docs[0]) {
		if n%2 == 1 {
			continue // a compilation of everything for each is slow
		}
		i := slices.IndexFunc(m.Mutants, func(r analysis.MutantResult) bool {
			return r.Policy == name && r.Rule == mutant.Rule && r.Operator == mutant.Operator && r.Change == mutant.What
		})
		if i < 0 {
			t.Fatalf("no result for %s %s", mutant.Operator, mutant.Rule)
		}
		text, ok := mutant.Text()
		if !ok || mutant.Operator == mutate.Drop || mutant.Operator == mutate.Move {
			continue // rules are numbered anew, which is noticed too often
		}
		suite, err := runnerWith(source.Name, text).Run(context.Background(), file)
		if err != nil {
			t.Fatal(err)
		}
		want := analysis.Survived
		switch {
		case !suite.Ran():
			want = analysis.Invalid
		case suite.Failed() > 0:
			want = analysis.Killed
			killed++
		default:
			survived++
		}
		if got := m.Mutants[i].Fate; got != want && (got != analysis.Equivalent || want != analysis.Survived) {
			t.Errorf("%s %s %s: %s, the engine says %s", mutant.Operator, mutant.Rule, mutant.What, got, want)
		}
	}
	if killed < 3 || killed+survived < 4 {
		t.Errorf("%d killed, %d survived: too few to tell", killed, survived)
	}
}
