package lint

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

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
	// Found are the findings of others, such as those in Rego modules, to be sorted
	// in; Texts are the texts of their files.
	Found []diag.Diagnostic
	Texts map[string][]byte
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
	docs := r.parse(sources)
	library := documents(opts.Library, r.Sources)
	plans, found := check.Policies(docs, library)
	parsed := r.Diagnostics
	s := newSet(docs, plans, library, opts)
	r.Diagnostics = append(slices.Clone(parsed), news(parsed, found, docs)...)
	r.Policies, r.Tests = len(s.policies), len(s.tests)
	r.Diagnostics = opts.Config.severe(slices.Concat(r.Diagnostics, opts.Found, s.run()))
	maps.Copy(r.Sources, opts.Texts)
	mend(r.Diagnostics, docs)
	r.Diagnostics = silence(r.Diagnostics, sources, docs, opts.Config)
	diag.Sort(r.Diagnostics)
	r.Diagnostics = unique(r.Diagnostics)
	return r
}

// news is what check finds beside what parse did. A base that nobody knows may be
// in a file of which nothing could be read.
func news(parsed, found []diag.Diagnostic, docs []*parse.Document) []diag.Diagnostic {
	unread := slices.ContainsFunc(parsed, func(d diag.Diagnostic) bool {
		return d.Severity == diag.Error && !slices.ContainsFunc(docs, func(doc *parse.Document) bool { return doc.File == d.Pos.File })
	})
	var out, rest []diag.Diagnostic
	for _, d := range found {
		if d.Code != "OSP2006" {
			rest = append(rest, d)
		} else if !unread {
			out = append(out, d)
		}
	}
	return append(out, check.News(parsed, rest)...)
}

func (r *Result) parse(sources []Source) []*parse.Document {
	found := make([][]*parse.Document, len(sources))
	ds := make([][]diag.Diagnostic, len(sources))
	each(len(sources), func(i int) { found[i], ds[i] = parse.Lenient(sources[i].Name, sources[i].Data) })
	for i, src := range sources {
		r.Sources[src.Name] = src.Data
		r.Diagnostics = append(r.Diagnostics, ds[i]...)
	}
	return slices.Concat(found...)
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
		}
		if d.Policy == nil {
			continue
		}
		p := &policy{set: s, doc: d, spec: &d.Policy.Spec}
		s.policies = append(s.policies, p)
		for _, name := range p.spec.Extends {
			s.extended[name] = true
		}
	}
	each(len(s.policies), func(i int) {
		p := s.policies[i]
		p.own = check.Own(p.doc)
		if p.plan = byPos[p.doc.Pos("metadata", "name")]; p.plan == nil || p.doc.Partial() {
			p.plan = p.own
		}
		p.compiles = p.plan != p.own
	})
	s.known = documents(opts.Tests, map[string][]byte{})
	return s
}

// run makes every check on every document; policies are looked at side by side.
func (s *set) run() []diag.Diagnostic {
	checks := policyChecks()
	found := make([][]*diag.Diagnostic, len(s.policies)+1)
	each(len(s.policies), func(i int) {
		p := s.policies[i]
		for _, c := range checks {
			c.run(p, &reporter{code: c.code, doc: p.doc, out: &found[i]})
		}
		p.requests = nil
	})
	for _, c := range testChecks() {
		for _, d := range s.tests {
			c.run(s, d, &reporter{code: c.code, doc: d, out: &found[len(s.policies)]})
		}
	}
	var out []diag.Diagnostic
	for _, list := range found {
		for _, d := range list {
			out = append(out, *d)
		}
	}
	return out
}

// each calls f for each number below n, on every processor.
func each(n int, f func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}
