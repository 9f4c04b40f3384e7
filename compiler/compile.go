// Package compiler turns the sources of policies into a bundle that any OPA
// evaluates, or into diagnostics that say why it cannot. It does no I/O and
// reads no clock: the same sources give the same bytes.
package compiler

import (
	"time"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
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
	r := &Result{Sources: map[string][]byte{}}
	docs := r.parse(sources)
	parsed := r.Diagnostics
	policies, found := check.Policies(docs, r.parse(opts.Library))
	r.Diagnostics = append(r.Diagnostics, check.News(parsed, found)...)
	r.Policies = policies
	if !diag.HasErrors(r.Diagnostics) {
		r.build(opts)
	}
	diag.Sort(r.Diagnostics)
	return r
}

func (r *Result) parse(sources []Source) []*parse.Document {
	var docs []*parse.Document
	for _, s := range sources {
		r.Sources[s.Name] = s.Data
		found, ds := parse.File(s.Name, s.Data)
		docs = append(docs, found...)
		r.Diagnostics = append(r.Diagnostics, ds...)
	}
	return docs
}

func (r *Result) build(opts Options) {
	data, revision, err := bundle.Build(r.Policies, bundle.Options{
		Library: opts.Rego, Revision: opts.Revision, Name: opts.Name, Serial: opts.Serial,
		Expires: opts.Expires, Compiler: opts.Compiler,
	})
	if err != nil {
		r.Diagnostics = append(r.Diagnostics, diag.New("OSP1099", diag.Position{}, err.Error(), "this is a fault of the compiler; please report it"))
		return
	}
	r.Bundle, r.Revision = data, revision
}
