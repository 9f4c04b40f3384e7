package compiler

import (
	"crypto/sha256"
	"maps"
	"slices"
	"sync"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/regogen"
)

// Cache keeps what one compilation may take over from the one before: the files
// that did not change, and the modules of policies none of whose files did. Who
// compiles again and again hands the same one in; it holds no more than the last
// compilation used. The zero value is ready, and it may be shared.
type Cache struct {
	mu        sync.Mutex
	files     map[digest]*file
	generated map[digest]*regogen.Generated
}

type digest = [sha256.Size]byte

// file is a source, parsed.
type file struct {
	digest digest
	source Source
	docs   []*parse.Document
	found  []diag.Diagnostic
}

// session is one compilation's use of a cache.
type session struct {
	cache     *Cache
	files     map[digest]*file
	generated map[digest]*regogen.Generated
	byDoc     map[string]*file    // by policy name, those of the set before those of the library
	extends   map[string][]string // by policy name
}

func (c *Cache) begin() *session {
	if c == nil {
		c = new(Cache)
	}
	c.mu.Lock()
	return &session{
		cache: c, files: map[digest]*file{}, generated: map[digest]*regogen.Generated{},
		byDoc: map[string]*file{}, extends: map[string][]string{},
	}
}

// end keeps what was used and nothing else.
func (s *session) end() {
	s.cache.files, s.cache.generated = s.files, s.generated
	s.cache.mu.Unlock()
}

func (s *session) parse(src Source) *file {
	h := sha256.New()
	h.Write([]byte(src.Name))
	h.Write([]byte{0})
	h.Write(src.Data)
	d := digest(h.Sum(nil))
	f := s.cache.files[d]
	if f == nil {
		f = &file{digest: d, source: src}
		f.docs, f.found = parse.File(src.Name, src.Data)
	}
	s.files[d] = f
	for _, doc := range f.docs {
		if doc.Policy == nil {
			continue
		}
		if name := doc.Policy.Metadata.Name; s.byDoc[name] == nil {
			s.byDoc[name], s.extends[name] = f, doc.Policy.Spec.Extends
		}
	}
	return f
}

// generate lowers the plan of a policy, or returns what it was lowered to when
// its own file and those of all its bases were the same.
func (s *session) generate(p *plan.Policy) *regogen.Generated {
	d := s.origin(p.Name)
	g := s.cache.generated[d]
	if g == nil {
		g = regogen.Generate(p)
	}
	s.generated[d] = g
	return g
}

// origin identifies a policy by its name and the files that its plan was made
// from.
func (s *session) origin(name string) digest {
	var names []string
	s.collect(name, &names)
	slices.Sort(names)
	h := sha256.New()
	h.Write([]byte(name))
	for _, n := range names {
		h.Write([]byte{0})
		h.Write([]byte(n))
		if f := s.byDoc[n]; f != nil {
			h.Write(f.digest[:])
		}
	}
	return digest(h.Sum(nil))
}

func (s *session) collect(name string, into *[]string) {
	if slices.Contains(*into, name) {
		return
	}
	*into = append(*into, name)
	for _, base := range s.extends[name] {
		s.collect(base, into)
	}
}

// sources lists the files that the policies were made from, sorted by name.
func (s *session) sources(policies []*plan.Policy) []bundle.Source {
	var names []string
	for _, p := range policies {
		s.collect(p.Name, &names)
	}
	byName := map[string][]byte{}
	for _, n := range names {
		if f := s.byDoc[n]; f != nil {
			byName[f.source.Name] = f.source.Data
		}
	}
	var out []bundle.Source
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, bundle.Source{Name: name, Data: byName[name]})
	}
	return out
}
