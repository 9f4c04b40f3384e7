package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/openshell-policy/openshell"

// root is the module's folder, seen from this package's.
const root = "../.."

// source is one parsed Go file.
type source struct {
	file    string // relative to the root, with forward slashes
	test    bool
	syntax  *ast.File
	fset    *token.FileSet
	imports []string
}

// folder is the package's path within the module.
func (s *source) folder() string { return path.Dir(s.file) }

// walk calls fn for every file that is, or may come, under version control.
func walk(t *testing.T, fn func(rel string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && (rel == ".git" || rel == ".cache" || rel == "bin" || d.Name() == "node_modules"):
			return fs.SkipDir
		case d.Type().IsRegular():
			fn(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources parses every Go file of the module, and fails where there are too few
// to be the whole module.
func sources(t *testing.T) []*source {
	t.Helper()
	var all []*source
	packages := map[string]bool{}
	walk(t, func(rel string) {
		if !strings.HasSuffix(rel, ".go") || strings.Contains("/"+rel, "/testdata/") {
			return
		}
		fset := token.NewFileSet()
		text, err := os.ReadFile(filepath.Join(root, rel))
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(fset, rel, text, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%v", err)
			return
		}
		s := &source{file: rel, test: strings.HasSuffix(rel, "_test.go"), syntax: syntax, fset: fset}
		for _, spec := range syntax.Imports {
			s.imports = append(s.imports, strings.Trim(spec.Path.Value, "`\""))
		}
		all = append(all, s)
		packages[s.folder()] = true
	})
	if len(packages) < 10 {
		t.Fatalf("saw %d packages; the module has more", len(packages))
	}
	return all
}

// under tells whether a package's path is one of the folders or below one.
func under(folder string, folders ...string) bool {
	for _, f := range folders {
		if folder == f || strings.HasPrefix(folder, f+"/") {
			return true
		}
	}
	return false
}

// functionName returns the name of a function that is no method.
func functionName(d ast.Decl) (string, bool) {
	f, ok := d.(*ast.FuncDecl)
	if !ok || f.Recv != nil {
		return "", false
	}
	return f.Name.Name, true
}
