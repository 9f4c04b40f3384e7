package scaffold_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/internal/scaffold"
)

func choices() []scaffold.Choice {
	out := []scaffold.Choice{
		{},
		{Agent: "claude", Languages: []string{"go", "node", "python", "rust"}, Registries: []string{"npm", "apt"}, Schema: "a", TestSchema: "b"},
		{Presets: []string{"github-push", "gitlab-read"}, Registries: []string{"apt"}},
	}
	for _, a := range scaffold.Agents() {
		out = append(out, scaffold.Choice{Agent: a})
	}
	for _, l := range scaffold.Languages() {
		out = append(out, scaffold.Choice{Languages: []string{l}})
	}
	for _, p := range scaffold.Presets() {
		out = append(out, scaffold.Choice{Presets: []string{p}})
	}
	return out
}

// What is written compiles without a finding, its test passes and reaches every
// rule, and notices every change of the policy; the rules of its own are the same
// whatever it is built on, so that the first few choices tell.
func TestMake(t *testing.T) {
	seen := 0
	for i, c := range choices() {
		c.Name = "mine"
		seen++
		r, err := scaffold.Make(context.Background(), c)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		check(t, c, r, i < 3)
	}
	if seen < 25 {
		t.Errorf("%d choices", seen)
	}
}

func check(t *testing.T, c scaffold.Choice, r *scaffold.Result, mutating bool) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string][]byte{"mine.yaml": r.Policy, "mine_test.yaml": r.Test} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runner := &analysis.Runner{
		Read: func(path string) ([]compiler.Source, error) { return policyset.Read(path) },
		Compile: func(sources []compiler.Source) *compiler.Result {
			return policyset.Compile(sources, compiler.Options{})
		},
		Library: policyset.ReadyMade,
	}
	suites, err := runner.RunAll(context.Background(), []string{filepath.Join(dir, "mine_test.yaml")}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s := suites[0]; len(s.Diagnostics) > 0 || s.Failed() > 0 || len(s.Cases) < 8 {
		t.Errorf("%+v: %d cases, %d failed, %v\n%s%s", c, len(s.Cases), s.Failed(), s.Diagnostics, r.Policy, r.Test)
		return
	}
	cover, err := runner.Cover(context.Background(), suites)
	if err != nil || cover.Covered != cover.Rules {
		t.Errorf("%+v: %d of %d rules covered, %v", c, cover.Covered, cover.Rules, err)
	}
	if !mutating {
		return
	}
	m, err := runner.Mutate(context.Background(), suites, 2)
	if err != nil || m.Mutants == nil {
		t.Fatalf("%+v: %v", c, err)
	}
	for _, one := range m.Mutants {
		if one.Fate == analysis.Survived {
			t.Errorf("%+v: %s %s %s survived", c, one.Operator, one.Rule, one.Change)
		}
	}
}

func TestMakeExtends(t *testing.T) {
	tests := []struct {
		choice scaffold.Choice
		want   []string
	}{
		{scaffold.Choice{}, []string{"github-read"}},
		{scaffold.Choice{Agent: "codex", Languages: []string{"node", "node"}, Registries: []string{"npm"}}, []string{"agent-codex", "github-read", "npm"}},
		{scaffold.Choice{Presets: []string{"dev", "github-read", "npm"}, Languages: []string{"go"}}, []string{"dev"}}, // which brings the others
		{scaffold.Choice{Presets: []string{"deny-all"}}, []string{"deny-all"}},
	}
	for _, test := range tests {
		test.choice.Name = "mine"
		r, err := scaffold.Make(context.Background(), test.choice)
		if err != nil {
			t.Fatal(err)
		}
		docs, ds := parse.File("mine.yaml", r.Policy)
		if len(docs) != 1 || len(ds) > 0 || !slices.Equal(docs[0].Policy.Spec.Extends, test.want) || !slices.Equal(r.Bases, test.want) {
			t.Errorf("%+v: got %v, %v", test.choice, r.Bases, ds)
		}
		if modeline := strings.HasPrefix(string(r.Policy), "# yaml-language-server"); modeline {
			t.Error("a modeline without a schema")
		}
	}
}

func TestMakeRefusesUnknownChoices(t *testing.T) {
	for what, c := range map[string]scaffold.Choice{
		"agent":             {Agent: "clod"},
		"language":          {Languages: []string{"cobol"}},
		"registry":          {Registries: []string{"github-read"}},
		"ready-made policy": {Presets: []string{"nothing"}},
	} {
		c.Name = "mine"
		_, err := scaffold.Make(context.Background(), c)
		var unknown *scaffold.UnknownError
		if !errors.As(err, &unknown) || unknown.What != what || len(unknown.Known) < 4 {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
