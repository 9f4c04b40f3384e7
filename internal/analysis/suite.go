package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// Suite is one test file that was run, or could not be.
type Suite struct {
	File  string       `json:"file"`
	Cases []CaseResult `json:"cases"`
	// Diagnostics are what is wrong with the test file or its policies; with an
	// error among them no case was run.
	Diagnostics []diag.Diagnostic `json:"diagnostics,omitempty"`
	// Sources holds the text that diagnostics point into.
	Sources map[string][]byte `json:"-"`

	worlds []*world
}

// Ran tells whether the cases were run.
func (s *Suite) Ran() bool { return !diag.HasErrors(s.Diagnostics) }

// Failed counts the cases that failed.
func (s *Suite) Failed() int {
	n := 0
	for _, c := range s.Cases {
		if !c.Pass {
			n++
		}
	}
	return n
}

// Runner runs policy tests. It is handed the I/O and the library.
type Runner struct {
	// Read returns the policies of a file or folder.
	Read func(path string) ([]compiler.Source, error)
	// Compile compiles them, with the library for what they extend.
	Compile func(sources []compiler.Source) *compiler.Result
	// Library returns the ready-made policy of a name that a case asks.
	Library func(name string) (compiler.Source, bool)
	// Select tells which cases are run, by their name; nil means all.
	Select func(name string) bool
}

// Run runs one test file. An error is I/O; what is wrong with the files is in
// the suite's diagnostics.
func (r *Runner) Run(ctx context.Context, file string) (*Suite, error) {
	sources, err := r.Read(file)
	if err != nil {
		return nil, err
	}
	test := sources[0]
	s := &Suite{File: test.Name, Cases: []CaseResult{}, Sources: map[string][]byte{test.Name: test.Data}}
	docs, ds := parse.File(test.Name, test.Data)
	s.Diagnostics = ds
	if !s.Ran() {
		return s, nil
	}
	for _, doc := range docs {
		if doc.Test == nil {
			d := diag.New("OSP1006", doc.Pos("kind"), "a test file holds documents of kind PolicyTest", "write `kind: PolicyTest`, or give the policy to compile")
			s.Diagnostics = append(s.Diagnostics, d)
			continue
		}
		if err := r.run(ctx, s, filepath.Dir(file), doc); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// RunAll runs files at the same time, at most as many as limit, and returns the
// suites in the order of the files.
func (r *Runner) RunAll(ctx context.Context, files []string, limit int) ([]*Suite, error) {
	suites := make([]*Suite, len(files))
	errs := make([]error, len(files))
	slots := make(chan struct{}, max(limit, 1))
	var wg sync.WaitGroup
	for i, f := range files {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			suites[i], errs[i] = r.Run(ctx, f)
		})
	}
	wg.Wait()
	return suites, errors.Join(errs...)
}

func (r *Runner) run(ctx context.Context, s *Suite, dir string, doc *parse.Document) error {
	w := &world{suite: s, test: doc}
	if err := w.policies(r.Read, dir); err != nil {
		return err
	}
	added, with := withPolicies(doc.Test.Spec)
	w.sources = append(slices.Clone(w.own), added...)
	w.result = r.Compile(w.sources)
	if more := r.readyMade(w.result, doc.Test.Spec); w.result.Bundle != nil && len(more) > 0 {
		w.sources = append(w.sources, more...)
		w.result = r.Compile(w.sources)
	}
	for name, text := range w.result.Sources {
		s.Sources[name] = text
	}
	s.Diagnostics = append(s.Diagnostics, w.result.Diagnostics...)
	if w.result.Bundle == nil {
		return nil
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(w.result.Bundle)
	if err != nil {
		return fmt.Errorf("load the compiled policies: %w", err)
	}
	w.cases = r.prepare(doc, onlyPolicy(g, with))
	for _, c := range w.cases {
		c.ask(ctx, g, with)
		s.Cases = append(s.Cases, c.CaseResult)
	}
	if r.Select == nil {
		s.Diagnostics = append(s.Diagnostics, w.unasked(w.documents(r.Library))...)
	}
	s.worlds = append(s.worlds, w)
	return nil
}

// policies reads the files that a test names, relative to its own folder.
func (w *world) policies(read func(string) ([]compiler.Source, error), dir string) error {
	for i, p := range w.test.Test.Spec.Policies {
		found, err := read(beside(dir, p))
		if err != nil {
			pos := w.test.Pos("spec", "policies", i)
			return fmt.Errorf("%s:%d:%d: %w", pos.File, pos.Line, pos.Col, err)
		}
		w.files = append(w.files, found)
		w.own = append(w.own, found...)
	}
	slices.SortFunc(w.own, func(a, b compiler.Source) int { return cmp.Compare(a.Name, b.Name) })
	w.own = slices.CompactFunc(w.own, func(a, b compiler.Source) bool { return a.Name == b.Name })
	return nil
}

func beside(dir, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// readyMade returns the library's policies that cases ask by name and no file
// of the test defines.
func (r *Runner) readyMade(result *compiler.Result, spec schemas.PolicyTestSpec) []compiler.Source {
	known := map[string]bool{}
	for _, p := range result.Policies {
		known[p.Name] = true
	}
	var sources []compiler.Source
	for _, c := range spec.Cases {
		name := cmp.Or(c.Policy, spec.Policy)
		if name == "" || known[name] {
			continue
		}
		known[name] = true
		if source, ok := r.Library(name); ok {
			sources = append(sources, source)
		}
	}
	return sources
}

// withPolicies returns a policy that extends both for every case that puts others
// beside its own, and their names.
func withPolicies(spec schemas.PolicyTestSpec) ([]compiler.Source, map[string]bool) {
	var sources []compiler.Source
	seen := map[string]bool{}
	for _, c := range spec.Cases {
		policy := cmp.Or(c.Policy, spec.Policy)
		if len(c.With) == 0 || policy == "" || seen[schemas.JoinedName(policy, c.With)] {
			continue
		}
		seen[schemas.JoinedName(policy, c.With)] = true
		sources = append(sources, policyset.Joined("test", policy, c.With))
	}
	return sources, seen
}
