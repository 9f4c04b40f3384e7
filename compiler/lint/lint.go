package lint

import (
	"cmp"
	"slices"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// Source is the text of one file.
type Source struct {
	Name string // relative to the source root, with forward slashes
	Data []byte
}

// Options say how to lint.
type Options struct {
	// Library holds the policies that extends may name beside the sources.
	Library []Source
	// Config may be nil, for every check with its own severity.
	Config *Config
	// Tests are the tests beside the sources that count as theirs, but in which
	// nothing is looked for.
	Tests []Source
	// NoTests says that tests cannot be known, so that none is missed.
	NoTests bool
}

// Result is what was found.
type Result struct {
	Diagnostics []diag.Diagnostic // sorted
	Sources     map[string][]byte // texts by name, for excerpts
	Policies    int               // documents that are policies
	Tests       int               // documents that are tests
}

// Run lints a set of policies and tests together.
func Run(sources []Source, opts Options) *Result {
	r := &Result{Sources: map[string][]byte{}}
	var docs []*parse.Document
	for _, src := range sources {
		r.Sources[src.Name] = src.Data
		found, ds := parse.File(src.Name, src.Data)
		docs = append(docs, found...)
		r.Diagnostics = append(r.Diagnostics, ds...)
	}
	library := documents(opts.Library, r.Sources)
	plans, found := check.Policies(docs, library)
	parsed := r.Diagnostics
	r.Diagnostics = append(slices.Clone(parsed), check.News(parsed, found)...)
	s := newSet(docs, plans, library, opts)
	r.Policies, r.Tests = len(s.policies), len(s.tests)
	compiled := r.Diagnostics
	r.Diagnostics = append(opts.Config.severe(s.run()), compiled...)
	mend(r.Diagnostics, docs)
	r.Diagnostics = silence(r.Diagnostics, sources, opts.Config)
	diag.Sort(r.Diagnostics)
	r.Diagnostics = unique(r.Diagnostics)
	return r
}

// documents reads sources in which nothing is looked for.
func documents(sources []Source, texts map[string][]byte) []*parse.Document {
	var docs []*parse.Document
	for _, src := range sources {
		if _, given := texts[src.Name]; !given {
			texts[src.Name] = src.Data
		}
		found, _ := parse.File(src.Name, src.Data)
		docs = append(docs, found...)
	}
	return docs
}

// unique drops a finding that was made twice at one place.
func unique(ds []diag.Diagnostic) []diag.Diagnostic {
	return slices.CompactFunc(ds, func(a, b diag.Diagnostic) bool {
		return a.Code == b.Code && a.Pos == b.Pos && a.Message == b.Message
	})
}

// set is what is linted together.
type set struct {
	policies []*policy
	tests    []*parse.Document
	known    []*parse.Document // tests beside the set's own
	library  map[string]*parse.Document
	extended map[string]bool // policies that another one of the set extends
	opts     Options
	tables   *knowledge
}

func newSet(docs []*parse.Document, plans []*plan.Policy, library []*parse.Document, opts Options) *set {
	s := &set{library: map[string]*parse.Document{}, extended: map[string]bool{}, opts: opts, tables: newKnowledge()}
	for _, d := range library {
		if d.Policy != nil {
			s.library[d.Policy.Metadata.Name] = d
		}
	}
	byPos := map[diag.Position]*plan.Policy{}
	for _, p := range plans {
		byPos[p.Pos] = p
	}
	for _, d := range docs {
		if d.Test != nil {
			s.tests = append(s.tests, d)
			continue
		}
		p := &policy{set: s, doc: d, spec: &d.Policy.Spec, own: check.Own(d)}
		p.plan = cmp.Or(byPos[d.Pos("metadata", "name")], p.own)
		p.compiles = p.plan != p.own
		s.policies = append(s.policies, p)
		for _, name := range p.spec.Extends {
			s.extended[name] = true
		}
	}
	s.known = documents(opts.Tests, map[string][]byte{})
	return s
}

// run makes every check on every document.
func (s *set) run() []diag.Diagnostic {
	var found []*diag.Diagnostic
	for _, c := range policyChecks() {
		for _, p := range s.policies {
			c.run(p, &reporter{code: c.code, doc: p.doc, out: &found})
		}
	}
	for _, c := range testChecks() {
		for _, d := range s.tests {
			c.run(s, d, &reporter{code: c.code, doc: d, out: &found})
		}
	}
	out := make([]diag.Diagnostic, len(found))
	for i, d := range found {
		out[i] = *d
	}
	return out
}
