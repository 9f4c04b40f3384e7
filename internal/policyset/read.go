package policyset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
)

// maxFile bounds what is read of one file; what the compiler takes is less.
const maxFile = 16 << 20

// ErrNoPolicies is returned for a folder without a policy file.
var ErrNoPolicies = errors.New("no policy files (*.yaml, *.yml)")

// File is a source with where it was read.
type File struct {
	compiler.Source
	Path string
}

// Read reads policy files and folders. Of a folder it takes every *.yaml and
// *.yml at any depth but tests (*_test.yaml) and what begins with a dot, and the
// Rego modules beside them. Sources are sorted by name, and a file that is named
// twice is read once.
func Read(paths ...string) ([]compiler.Source, error) {
	files, err := readListed(withModules, paths...)
	var sources []compiler.Source
	for _, f := range files {
		sources = append(sources, f.Source)
	}
	return sources, err
}

// ReadFiles is Read for the files of folders that want selects.
func ReadFiles(want func(name string) bool, paths ...string) ([]File, error) {
	return readListed(func(path string) ([]string, error) { return Files(path, want) }, paths...)
}

func readListed(list func(path string) ([]string, error), paths ...string) ([]File, error) {
	var out []File
	taken := map[string]string{} // file by name
	for _, p := range paths {
		files, err := list(p)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("%q: %w", p, ErrNoPolicies)
		}
		for _, f := range files {
			name := display(p, f)
			if other, ok := taken[name]; ok && !same(other, f) {
				name = filepath.ToSlash(filepath.Clean(f))
			}
			if _, ok := taken[name]; ok {
				continue
			}
			taken[name] = f
			data, err := readFile(f)
			if err != nil {
				return nil, err
			}
			out = append(out, File{compiler.Source{Name: name, Data: data}, f})
		}
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// same tells whether two paths are one file.
func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// Files lists the YAML files below a folder that want selects, sorted; a file is
// listed whatever its name.
func Files(path string, want func(name string) bool) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case p != path && strings.HasPrefix(name, "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && IsYAML(name) && want(name):
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// IsYAML tells a YAML file by its name.
func IsYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// IsTest tells a policy test by its name.
func IsTest(name string) bool {
	return strings.HasSuffix(name, "_test.yaml") || strings.HasSuffix(name, "_test.yml")
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return data, nil
}

// display is the name of a file in messages and bundles: as given where that is
// a path below the working directory, else from the last element of what was
// given on, so that a bundle does not depend on where a folder lies.
func display(given, file string) string {
	given, file = filepath.Clean(given), filepath.Clean(file)
	if !filepath.IsAbs(given) && !strings.HasPrefix(given, "..") {
		return filepath.ToSlash(file)
	}
	if rel, err := filepath.Rel(filepath.Dir(given), file); err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(file)
}
