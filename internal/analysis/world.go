package analysis

import (
	"slices"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// world is one test document with the policies that it asks.
type world struct {
	suite   *Suite
	test    *parse.Document
	own     []compiler.Source // of the files that the test names
	sources []compiler.Source // and what was added
	result  *compiler.Result
	cases   []*testCase
}

// asked lists the policies that cases ask, each once.
func (w *world) asked() []string {
	var names []string
	for _, c := range w.cases {
		if c.Got != nil && !slices.Contains(names, c.asks) {
			names = append(names, c.asks)
		}
	}
	return names
}

// documents parses the policies of the world, and those of the library that
// they extend.
func (w *world) documents(library func(string) (compiler.Source, bool)) map[string]*parse.Document {
	docs := map[string]*parse.Document{}
	add := func(s compiler.Source) {
		found, _ := parse.File(s.Name, s.Data)
		for _, d := range found {
			if d.Policy != nil {
				docs[d.Policy.Metadata.Name] = d
			}
		}
	}
	for _, s := range w.sources {
		add(s)
	}
	for {
		missing := missingBase(docs)
		source, ok := library(missing)
		if missing == "" || !ok {
			return docs
		}
		add(source)
	}
}

func missingBase(docs map[string]*parse.Document) string {
	for _, d := range docs {
		for _, base := range d.Policy.Spec.Extends {
			if docs[base] == nil {
				return base
			}
		}
	}
	return ""
}

// lineage lists a policy and everything that it extends.
func lineage(docs map[string]*parse.Document, name string) []string {
	out := []string{name}
	for i := 0; i < len(out); i++ {
		d := docs[out[i]]
		if d == nil {
			continue
		}
		for _, base := range d.Policy.Spec.Extends {
			if !slices.Contains(out, base) {
				out = append(out, base)
			}
		}
	}
	return out
}
