package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// lintInput is what lint and fmt read.
type lintInput struct {
	sources []lint.Source
	paths   map[string]string // where each source was read; ready-made ones have none
	stdin   string            // the source that stdin is, "" for none
	tests   []lint.Source     // tests beside files that were named one by one
	modules []bundle.Source   // of Rego, beside policies
	bases   []lint.Source     // excluded, but others may extend them
}

func (in *lintInput) names() []string {
	var out []string
	for _, s := range in.sources {
		out = append(out, s.Name)
	}
	return out
}

func (in *lintInput) options(config *lint.Config) lint.Options {
	opts := lint.Options{Config: config, Tests: in.tests, NoTests: in.stdin != "", Texts: map[string][]byte{}}
	for _, m := range in.modules {
		opts.Texts[m.Name] = m.Data
	}
	_, opts.Found = bundle.Modules(in.modules)
	for _, s := range policyset.Library() {
		opts.Library = append(opts.Library, lint.Source(s))
	}
	opts.Library = append(opts.Library, in.bases...)
	return opts
}

func (in *lintInput) add(s lint.Source, path string) {
	if _, known := in.paths[s.Name]; known {
		return
	}
	in.paths[s.Name] = path
	in.sources = append(in.sources, s)
}

// readLint reads what the arguments name: files, folders with their tests,
// ready-made policies, and stdin.
func readLint(o *lintOptions, config *lint.Config) (*lintInput, error) {
	in := &lintInput{paths: map[string]string{}}
	for _, arg := range o.paths {
		if err := in.read(arg, o); err != nil {
			return nil, err
		}
	}
	var kept []lint.Source
	for _, s := range in.sources {
		if config.Excluded(s.Name) {
			in.bases = append(in.bases, s)
			continue
		}
		kept = append(kept, s)
	}
	if in.sources = kept; len(kept) == 0 && len(in.modules) == 0 {
		return nil, cli.WithHint(fmt.Errorf("every file of %s is excluded", strings.Join(o.paths, " ")), "see exclude in %s, or use --no-config", lint.ConfigName)
	}
	slices.SortStableFunc(in.sources, func(a, b lint.Source) int { return strings.Compare(a.Name, b.Name) })
	return in, nil
}

func (in *lintInput) read(arg string, o *lintOptions) error {
	if arg == "-" {
		data, err := io.ReadAll(io.LimitReader(o.stdin, parse.MaxSize+1))
		in.stdin = filepath.ToSlash(o.stdinName)
		in.add(lint.Source{Name: in.stdin, Data: data}, "")
		return err
	}
	if !policyset.IsFile(arg) {
		if _, err := os.Stat(arg); errors.Is(err, fs.ErrNotExist) {
			sources, err := policyset.Load(arg)
			if err != nil {
				return hinted(err)
			}
			for _, s := range sources {
				in.add(lint.Source(s), "")
			}
			return nil
		}
	}
	if err := in.readModules(arg); err != nil || policyset.IsModule(arg) {
		return err
	}
	files, err := policyset.ReadFiles(func(string) bool { return true }, arg)
	if err != nil {
		return hinted(err)
	}
	for _, f := range files {
		in.add(lint.Source(f.Source), f.Path)
	}
	if info, err := os.Stat(arg); err == nil && !info.IsDir() && !policyset.IsTest(arg) {
		in.tests = append(in.tests, testsBeside(arg)...)
	}
	return nil
}

// readModules reads the Rego modules that belong to a file or folder.
func (in *lintInput) readModules(arg string) error {
	sources, err := policyset.Read(arg)
	if errors.Is(err, policyset.ErrNoPolicies) {
		return nil
	}
	for _, s := range sources {
		if policyset.IsModule(s.Name) && !slices.ContainsFunc(in.modules, func(m bundle.Source) bool { return m.Name == s.Name }) {
			in.modules = append(in.modules, bundle.Source{Name: s.Name, Data: s.Data})
		}
	}
	if err != nil {
		return hinted(err)
	}
	return nil
}

// testsBeside reads the tests in the folder of a file, which may name it. What
// cannot be read is for openshell-policy test to say.
func testsBeside(file string) []lint.Source {
	var out []lint.Source
	for _, pattern := range []string{"*_test.yaml", "*_test.yml"} {
		names, _ := filepath.Glob(filepath.Join(filepath.Dir(file), pattern))
		for _, name := range names {
			if data, err := os.ReadFile(name); err == nil {
				out = append(out, lint.Source{Name: filepath.ToSlash(name), Data: data})
			}
		}
	}
	return out
}

// configuration reads the file that --config names, or the nearest one.
func (o *lintOptions) configuration() (*lint.Config, error) {
	if o.noConfig && o.config != "" {
		return nil, cli.WithHint(errors.New("--config and --no-config exclude each other"), "leave one of them out")
	}
	path := o.config
	if path == "" && !o.noConfig {
		path = nearestConfig()
	}
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(path)
	config, ds := lint.ParseConfig(name, data)
	if len(ds) > 0 {
		err := diag.WriteText(o.stderr, ds, map[string][]byte{name: data}, cli.Color(o.stderr))
		return nil, errors.Join(err, cli.Exit(cli.ExitError))
	}
	config.Relative = relativeTo(filepath.Dir(path))
	return config, nil
}

// nearestConfig looks in the working folder and above, up to the top of the
// repository; "" for none.
func nearestConfig() string {
	dir := "."
	for range 64 {
		path := filepath.Join(dir, lint.ConfigName)
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return ""
		}
		if abs, err := filepath.Abs(dir); err != nil || filepath.Dir(abs) == abs {
			return ""
		}
		dir = filepath.Join(dir, "..")
	}
	return ""
}

// relativeTo gives names relative to a folder; names are relative to the working
// folder where they are relative.
func relativeTo(dir string) func(string) string {
	base, err := filepath.Abs(dir)
	return func(name string) string {
		abs, absErr := filepath.Abs(filepath.FromSlash(name))
		rel, relErr := filepath.Rel(base, abs)
		if errors.Join(err, absErr, relErr) != nil {
			return name
		}
		return filepath.ToSlash(rel)
	}
}
