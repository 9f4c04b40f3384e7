// Package compiler turns the sources of policies into a bundle that any OPA
// evaluates, or into diagnostics that say why it cannot. It does no I/O and
// reads no clock: the same sources give the same bytes.
package compiler

import (
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// Source is the text of one file.
type Source struct {
	// Name is the file's path relative to the source root, with forward slashes.
	// It stands in positions and in the bundle.
	Name string
	Data []byte
}

// Options are what a bundle holds beside its policies.
type Options struct {
	// Library holds the policies that extends may name beside those compiled.
	Library []Source
	// Rego is the Rego library by file name: package rego's Library.
	Rego     map[string]string
	Revision string // "" for the digest of everything that decides
	Name     string
	Serial   int64
	Expires  time.Time // zero for never
	Compiler string    // version of the compiler, for the manifest
	// Sign signs the bundle; nil leaves it unsigned.
	Sign *keys.Private
	// KeepSources puts the text of the policies into the manifest, so that the
	// bundle can be compared and explained without them.
	KeepSources bool
	// Cache takes over what did not change since the compilation before; nil
	// keeps nothing.
	Cache *Cache
}

// Result is what became of the sources.
type Result struct {
	Bundle      []byte // gzipped tar; nil exactly if Diagnostics holds an error
	Revision    string
	Policies    []*plan.Policy
	Diagnostics []diag.Diagnostic // sorted
	Sources     map[string][]byte // texts by name, for excerpts
}

// Compile compiles a set of policies. Documents of other kinds are passed over.
func Compile(sources []Source, opts Options) *Result {
	s := opts.Cache.begin()
	defer s.end()
	r := &Result{Sources: map[string][]byte{}}
	sources, owned := split(sources)
	docs := r.parse(s, sources)
	modules := r.check(owned)
	var library []*parse.Document
	if slices.ContainsFunc(docs, extends) {
		library = r.parse(s, opts.Library)
	}
	parsed := r.Diagnostics
	policies, found := check.Policies(docs, library)
	r.Diagnostics = append(r.Diagnostics, check.News(parsed, found)...)
	r.Policies = policies
	if !diag.HasErrors(r.Diagnostics) {
		r.build(s, modules, opts)
	}
	diag.Sort(r.Diagnostics)
	return r
}

// extends tells whether a document needs others: without one the library need
// not be read.
func extends(d *parse.Document) bool { return d.Policy != nil && len(d.Policy.Spec.Extends) > 0 }

// split tells the policies from the Rego modules beside them; Rego tests are
// neither.
func split(sources []Source) (policies []Source, modules []bundle.Source) {
	for _, s := range sources {
		switch {
		case strings.HasSuffix(s.Name, "_test.rego"):
		case strings.HasSuffix(s.Name, ".rego"):
			modules = append(modules, bundle.Source{Name: s.Name, Data: s.Data})
		default:
			policies = append(policies, s)
		}
	}
	slices.SortFunc(modules, func(a, b bundle.Source) int { return strings.Compare(a.Name, b.Name) })
	return policies, modules
}

func (r *Result) check(owned []bundle.Source) []bundle.Module {
	for _, s := range owned {
		r.Sources[s.Name] = s.Data
	}
	modules, found := bundle.Modules(owned)
	r.Diagnostics = append(r.Diagnostics, found...)
	return modules
}

func (r *Result) parse(s *session, sources []Source) []*parse.Document {
	var docs []*parse.Document
	for _, src := range sources {
		r.Sources[src.Name] = src.Data
		f := s.parse(src)
		docs = append(docs, f.docs...)
		r.Diagnostics = append(r.Diagnostics, f.found...)
	}
	return docs
}

func (r *Result) build(s *session, modules []bundle.Module, opts Options) {
	var sources []bundle.Source
	if opts.KeepSources {
		sources = s.sources(r.Policies)
	}
	data, revision, err := bundle.Build(r.Policies, bundle.Options{
		Sources: sources, Modules: modules,
		Library: opts.Rego, Revision: opts.Revision, Name: opts.Name, Serial: opts.Serial,
		Expires: opts.Expires, Compiler: opts.Compiler, Generate: s.generate,
	})
	if err == nil && opts.Sign != nil {
		data, err = bundle.Sign(data, *opts.Sign)
	}
	if err != nil {
		r.Diagnostics = append(r.Diagnostics, diag.New("OSP1099", diag.Position{}, err.Error(), "this is a fault of the compiler; please report it"))
		return
	}
	r.Bundle, r.Revision = data, revision
}
