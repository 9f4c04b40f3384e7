package analysis

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// world is one test document with the policies that it asks.
type world struct {
	suite   *Suite
	test    *parse.Document
	files   [][]compiler.Source // that the test names, by entry of spec.policies
	own     []compiler.Source   // all of them
	sources []compiler.Source   // and what was added
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

// unasked warns of files that the test names and no case asks.
func (w *world) unasked(docs map[string]*parse.Document) []diag.Diagnostic {
	reached := map[string]bool{} // files
	for _, c := range w.cases {
		for _, name := range lineage(docs, c.asks) {
			if d := docs[name]; d != nil {
				reached[d.File] = true
			}
		}
	}
	var out []diag.Diagnostic
	for i, read := range w.files {
		var names []string
		for _, source := range read {
			if reached[source.Name] {
				names = nil
				break
			}
			for name, d := range docs {
				if d.File == source.Name {
					names = append(names, name)
				}
			}
		}
		if len(names) == 0 {
			continue
		}
		slices.Sort(names)
		out = append(out, diag.New("OSP1021", w.test.Pos("spec", "policies", i),
			"no case asks "+strings.Join(names, ", ")+" of this file", "write `policy: "+names[0]+"` in spec or in a case, or take the file out"))
	}
	return out
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

// Folders lists the folders of test files and of the policies that they name, as
// far as the files can be read.
func (r *Runner) Folders(files []string) []string {
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
		sources, err := r.Read(file)
		if err != nil || len(sources) == 0 {
			continue
		}
		docs, _ := parse.File(file, sources[0].Data)
		for _, d := range docs {
			if d.Test == nil {
				continue
			}
			for _, p := range d.Test.Spec.Policies {
				path := beside(filepath.Dir(file), p)
				dirs = append(dirs, path, filepath.Dir(path))
			}
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
