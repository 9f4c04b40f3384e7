package policyset_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/policyset"
)

func tree(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func names(sources []compiler.Source) []string {
	var out []string
	for _, s := range sources {
		out = append(out, s.Name)
	}
	return out
}

func TestRead(t *testing.T) {
	t.Chdir(tree(t, "a/p.yaml", "a/deep/q.yml", "a/p_test.yaml", "a/.hidden.yaml", "a/.git/x.yaml", "a/notes.txt", "b/p.yaml", "none/notes.txt"))
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		paths []string
		want  []string
	}{
		{"a folder", []string{"a"}, []string{"a/deep/q.yml", "a/p.yaml"}},
		{"spelt otherwise", []string{"./a/"}, []string{"a/deep/q.yml", "a/p.yaml"}},
		{"from elsewhere", []string{wd + "/a"}, []string{"a/deep/q.yml", "a/p.yaml"}},
		{"a file that is a test", []string{"a/p_test.yaml"}, []string{"a/p_test.yaml"}},
		{"twice", []string{"a/p.yaml", "a", wd + "/a"}, []string{"a/deep/q.yml", "a/p.yaml"}},
		{"two files of one name", []string{wd + "/a/p.yaml", wd + "/b/p.yaml"}, []string{wd + "/b/p.yaml", "p.yaml"}},
		{"nothing", nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sources, err := policyset.Read(test.paths...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(names(sources), test.want); diff != "" {
				t.Errorf("got (-) want (+):\n%s", diff)
			}
		})
	}
	if _, err := policyset.Read("none"); !errors.Is(err, policyset.ErrNoPolicies) {
		t.Errorf("a folder without policies: %v", err)
	}
	if _, err := policyset.Read("a/r.yaml"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "a/r.yaml") {
		t.Errorf("a file that is missing: %v", err)
	}
}

func TestPick(t *testing.T) {
	t.Chdir(tree(t, "a/p.yaml", "b:c.yaml", "github-readonly/x.yaml"))
	tests := []struct {
		ref, name string
		want      []string
	}{
		{"a/p.yaml", "", []string{"a/p.yaml"}},
		{"a/p.yaml:x", "x", []string{"a/p.yaml"}},
		{"a/:x", "x", []string{"a/p.yaml"}},
		{"a:x", "x", []string{"a/p.yaml"}},
		{".:x", "x", []string{"a/p.yaml", "b:c.yaml", "github-readonly/x.yaml"}},
		{"./b:c.yaml", "", []string{"b:c.yaml"}},
		{"./b:c.yaml:x", "x", []string{"b:c.yaml"}},
		{"github-readonly", "github-readonly", []string{"library/github-readonly.yaml"}},
		{"github-readonly/", "", []string{"github-readonly/x.yaml"}},
	}
	for _, test := range tests {
		t.Run(test.ref, func(t *testing.T) {
			sources, name, err := policyset.Pick(test.ref)
			if err != nil || name != test.name || !slices.Equal(names(sources), test.want) {
				t.Errorf("got %v, %q, %v, want %v, %q", names(sources), name, err, test.want, test.name)
			}
		})
	}
	var unknown *policyset.NameError
	if _, _, err := policyset.Pick("nowhere"); !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "full-dev") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestLoad(t *testing.T) {
	t.Chdir(tree(t, "team/p.yaml"))
	sources, err := policyset.Load("full-dev", "team", "full-dev")
	if want := []string{"team/p.yaml", "library/full-dev.yaml"}; err != nil || !slices.Equal(names(sources), want) {
		t.Errorf("got %v, %v, want %v", names(sources), err, want)
	}
	var unknown *policyset.NameError
	if _, err := policyset.Load("nowhere"); !errors.As(err, &unknown) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := policyset.Load("nowhere.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: %v", err)
	}
}
