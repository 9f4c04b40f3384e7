package wiring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// Policies are a gateway's: the operator's files and folders, or the ready-made
// ones where none are configured, and what `policy apply` stored.
type Policies struct {
	paths []string
	store string // folder of applied policies
	last  atomic.Pointer[compiler.Result]
	joins atomic.Pointer[[][]string]
	cache compiler.Cache
}

// NewPolicies returns the policies of paths, with those applied at run time in
// the state folder.
func NewPolicies(paths []string, stateDir string) *Policies {
	return &Policies{paths: paths, store: filepath.Join(stateDir, "policies")}
}

// Watch lists the files and folders whose change means compiling again.
func (p *Policies) Watch() []string { return append(slices.Clone(p.paths), p.store) }

// Compile turns the policies into a bundle; its error holds the diagnostics as
// text.
func (p *Policies) Compile(context.Context) (bundle []byte, warnings []string, err error) {
	sources, err := p.sources()
	if err != nil {
		return nil, nil, err
	}
	result := policyset.Compile(append(sources, p.joined(sources)...), compiler.Options{Cache: &p.cache})
	if result.Bundle == nil {
		return nil, nil, &CompileError{Result: result}
	}
	p.last.Store(result)
	for _, d := range result.Diagnostics {
		warnings = append(warnings, fmt.Sprintf("%s:%d:%d: %s: %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Code, d.Message))
	}
	return result.Bundle, warnings, nil
}

// CompileError is a set of policies that does not compile.
type CompileError struct{ Result *compiler.Result }

// Error returns the first error in a line.
func (e *CompileError) Error() string {
	for _, d := range e.Result.Diagnostics {
		if d.Severity == diag.Error {
			return fmt.Sprintf("%s:%d:%d: %s: %s", d.Pos.File, d.Pos.Line, d.Pos.Col, d.Code, d.Message)
		}
	}
	return "the policies do not compile"
}

// Text returns every diagnostic as text.
func (e *CompileError) Text(color bool) string {
	var b strings.Builder
	_ = diag.WriteText(&b, e.Result.Diagnostics, e.Result.Sources, color) // to memory
	return b.String()
}

func (p *Policies) sources() ([]compiler.Source, error) {
	sources, err := p.own()
	if err != nil {
		return nil, err
	}
	stored, err := p.stored()
	if err != nil {
		return nil, err
	}
	return append(sources, stored...), nil
}

// own are the operator's policies, else the ready-made ones.
func (p *Policies) own() ([]compiler.Source, error) {
	if len(p.paths) == 0 {
		return policyset.Library(), nil
	}
	return policyset.Read(p.paths...)
}

func (p *Policies) stored() ([]compiler.Source, error) {
	files, err := policyset.Files(p.store, func(string) bool { return true })
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var sources []compiler.Source
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		sources = append(sources, compiler.Source{Name: "applied/" + filepath.Base(f), Data: data})
	}
	return sources, nil
}

// policyNames lists the policies of a text that parses, in order.
func policyNames(name string, data []byte) []string {
	docs, _ := parse.File(name, data)
	var names []string
	for _, d := range docs {
		if d.Policy != nil {
			names = append(names, d.Policy.Metadata.Name)
		}
	}
	return names
}

// plans finds compiled policies by name in what is in force.
func (p *Policies) plan(name string) *plan.Policy {
	result := p.last.Load()
	if result == nil {
		return nil
	}
	i := slices.IndexFunc(result.Policies, func(q *plan.Policy) bool { return q.Name == name })
	if i < 0 {
		return nil
	}
	return result.Policies[i]
}

// Compare says what changes for a sandbox that goes from one policy to another.
func (p *Policies) Compare(_ context.Context, from, to string) ([]string, error) {
	a, b := p.plan(from), p.plan(to)
	if a == nil || b == nil {
		return nil, fmt.Errorf("policies %q and %q are not both in force", from, to)
	}
	return analysis.Changes(a, b), nil
}

// Source returns the YAML that a policy came from.
func (p *Policies) Source(name string) (string, bool) {
	q := p.plan(name)
	if q == nil {
		return "", false
	}
	text, ok := p.last.Load().Sources[q.Pos.File]
	return string(text), ok
}

// Summary names the policies that were compiled last.
func (p *Policies) Summary() string {
	var names []string
	if result := p.last.Load(); result != nil {
		for _, q := range result.Policies {
			names = append(names, q.Name)
		}
	}
	return strings.Join(names, ", ")
}
