package archtest_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// everything is for what joins parts, and what checks them.
var everything = []string{"schemas", "compiler", "rego", "audit", "gateway", "sandboxctl", "policies", "internal"}

// layer is a folder with the folders of ours that it may import, besides itself.
type layer struct {
	folder  string
	allowed []string
}

// layers is the table of docs/architecture.md. The first entry that holds a
// package decides.
var layers = []layer{
	{"schemas", nil},
	{"compiler", []string{"schemas"}},
	{"rego", []string{"schemas"}},
	{"audit", []string{"schemas"}},
	{"gateway", []string{"schemas", "rego", "audit"}},
	{"sandboxctl", []string{"schemas", "rego", "audit"}},
	{"policies", nil},
	{"internal/cli", []string{"schemas", "compiler/diag"}},
	{"internal/analysis", []string{"schemas", "compiler", "rego", "audit", "internal/policyset"}},
	{"internal/policyset", []string{"schemas", "compiler", "rego", "policies"}},
	{"internal/scaffold", []string{"schemas", "compiler", "rego", "policies", "internal/analysis", "internal/policyset"}},
	{"internal/clitest", nil},
	{"internal/oracle", nil}, // tests only
	{"internal/archtest", nil},
	{"cmd", everything},
	{"bench", everything},
	{"hack", everything},
}

// Tests may import more: an oracle compares packages that never meet otherwise.
func TestFoldersImportOnlyWhatTheTableSays(t *testing.T) {
	seen, used := 0, map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		i := slices.IndexFunc(layers, func(l layer) bool { return under(s.folder(), l.folder) })
		if i < 0 {
			t.Errorf("%s: its folder is not in the table", s.file)
			continue
		}
		used[layers[i].folder] = true
		for _, imported := range s.imports {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if !ok {
				continue
			}
			seen++
			if !under(ours, layers[i].folder) && !under(ours, layers[i].allowed...) {
				t.Errorf("%s: %s must not import %s", s.file, layers[i].folder, ours)
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw %d imports between our packages; there are more", seen)
	}
	for _, l := range layers {
		if !used[l.folder] {
			t.Errorf("%s is in the table and holds no package", l.folder)
		}
	}
}

// reserved are the modules that only some folders may know.
var reserved = []struct {
	prefix  string
	folders []string
	tests   bool // tests elsewhere may
}{
	{"github.com/open-policy-agent/opa", []string{"rego", "compiler/regogen", "compiler/bundle"}, true},
	{"github.com/spf13/cobra", []string{"cmd", "internal/cli"}, false},
	{"github.com/elazarl/goproxy", []string{"gateway", "bench"}, true},
}

func TestReservedModulesStayInTheirFolders(t *testing.T) {
	all := sources(t)
	for _, r := range reserved {
		seen := 0
		for _, s := range all {
			for _, imported := range s.imports {
				if imported != r.prefix && !strings.HasPrefix(imported, r.prefix+"/") {
					continue
				}
				seen++
				if !under(s.folder(), r.folders...) && (!s.test || !r.tests) {
					t.Errorf("%s imports %s, which is for %v only", s.file, imported, r.folders)
				}
			}
		}
		if seen == 0 {
			t.Errorf("nobody imports %s", r.prefix)
		}
	}
}

// pure tells whether a package may not do I/O or read a clock.
func pure(s *source) bool {
	return !s.test && under(s.folder(), "schemas", "compiler") && !under(s.folder(), "schemas/adminapi")
}

func TestPurePackagesDoNoIO(t *testing.T) {
	banned := []string{
		"os", "os/exec", "os/signal", "os/user", "net", "net/http", "syscall", "io/ioutil", "log", "log/slog",
		"math/rand", "math/rand/v2", "crypto/rand",
	}
	seen := 0
	for _, s := range sources(t) {
		if !pure(s) {
			continue
		}
		seen++
		for _, imported := range s.imports {
			if slices.Contains(banned, imported) {
				t.Errorf("%s imports %s", s.file, imported)
			}
		}
	}
	if seen < 20 {
		t.Errorf("saw %d files of pure packages; there are more", seen)
	}
}

func TestPurePackagesReadNoClock(t *testing.T) {
	banned := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}
	seen := 0
	for _, s := range sources(t) {
		if !pure(s) || !slices.Contains(s.imports, "time") {
			continue
		}
		seen++
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(banned, sel.Sel.Name) {
				t.Errorf("%s: time.%s", s.fset.Position(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no pure package imports time; wire types do")
	}
}
