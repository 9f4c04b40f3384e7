package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// testRun runs the tests of the given paths, once or again and again.
type testRun struct {
	*testOptions
	runner analysis.Runner
}

func newTestRun(o *testOptions) (*testRun, error) {
	choose, err := o.choose()
	if err != nil {
		return nil, err
	}
	return &testRun{o, analysis.Runner{
		Read: func(path string) ([]compiler.Source, error) { return policyset.Read(path) },
		Compile: func(sources []compiler.Source) *compiler.Result {
			return policyset.Compile(sources, compiler.Options{})
		},
		Library: policyset.ReadyMade,
		Select:  choose,
	}}, nil
}

// once runs everything, reports it, and returns the files that it depends on.
func (r *testRun) once(ctx context.Context) (files []string, err error) {
	suites, files, err := r.suites(ctx)
	if err != nil {
		return files, err
	}
	counts := analysis.Count(suites)
	var cover *analysis.Coverage
	var mutation *analysis.Mutation
	if r.coverage && counts.Broken == 0 {
		if cover, err = r.runner.Cover(ctx, suites); err != nil {
			return files, err
		}
	}
	if r.mutate && counts.Broken == 0 && counts.Failed == 0 {
		if mutation, err = r.runner.Mutate(ctx, suites, r.jobs); err != nil {
			return files, err
		}
	}
	if err := r.report(suites, cover, mutation); err != nil {
		return files, err
	}
	if cover != nil && r.coverageOut != "" {
		if err := writeCoverage(r.coverageOut, cover); err != nil {
			return files, err
		}
	}
	return files, r.verdict(counts, cover, mutation)
}

func (r *testRun) suites(ctx context.Context) (suites []*analysis.Suite, files []string, err error) {
	yamls, regos, err := testFiles(r.paths)
	if err != nil {
		return nil, nil, err
	}
	files = slices.Clone(yamls)
	if suites, err = r.runner.RunAll(ctx, yamls, r.jobs); err != nil {
		return nil, files, err
	}
	for _, dir := range regos {
		modules, err := regoModules(dir)
		if err != nil {
			return nil, files, err
		}
		found, err := analysis.RunRego(ctx, modules, r.runner.Select)
		if err != nil {
			return nil, files, err
		}
		suites = append(suites, found...)
	}
	if r.runner.Select != nil {
		suites = slices.DeleteFunc(suites, func(s *analysis.Suite) bool { return s.Ran() && len(s.Cases) == 0 })
	}
	return suites, files, nil
}

// verdict is the exit status of a run.
func (r *testRun) verdict(counts analysis.Totals, cover *analysis.Coverage, mutation *analysis.Mutation) error {
	switch {
	case counts.Broken > 0:
		return cli.Exit(cli.ExitError)
	case counts.Cases == 0 && r.run != "":
		return cli.WithHint(fmt.Errorf("no case matches --run %q", r.run), "-v lists the names of cases")
	case counts.Cases == 0:
		return errors.New("no cases were run")
	case counts.Failed > 0:
		return cli.Exit(cli.ExitFindings)
	case cover != nil && cover.Percent < r.minCoverage:
		return cli.WithStatus(cli.ExitFindings, cli.WithHint(fmt.Errorf("coverage is %.1f %%, below %v %%", cover.Percent, r.minCoverage),
			"the rules that no case hits are listed with the reason"))
	case mutation != nil && mutation.Score < r.minScore:
		return cli.WithStatus(cli.ExitFindings, cli.WithHint(fmt.Errorf("the mutation score is %.1f %%, below %v %%", mutation.Score, r.minScore),
			"add a case that fails under each change that survived"))
	}
	return nil
}

func writeCoverage(file string, cover *analysis.Coverage) error {
	var b bytes.Buffer
	write := cover.WriteLCOV
	if strings.HasSuffix(file, ".json") {
		if err := cli.WriteJSON(&b, cover); err != nil {
			return err
		}
	} else if err := write(&b); err != nil {
		return err
	}
	return writeFile(file, b.Bytes())
}

// testFiles lists the tests of the paths: the files of kind PolicyTest, and the
// folders with Rego tests.
func testFiles(paths []string) (yamls, regoDirs []string, err error) {
	for _, p := range paths {
		if strings.HasSuffix(p, ".rego") {
			regoDirs = append(regoDirs, filepath.Dir(p))
			continue
		}
		found, err := policyset.Files(p, policyset.IsTest)
		if err != nil {
			return nil, nil, err
		}
		dirs, err := regoTests(p)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 && len(dirs) == 0 {
			return nil, nil, cli.WithHint(fmt.Errorf("%q holds no tests", p), "tests are files named *_test.yaml or *_test.rego")
		}
		yamls, regoDirs = append(yamls, found...), append(regoDirs, dirs...)
	}
	slices.Sort(yamls)
	slices.Sort(regoDirs)
	return slices.Compact(yamls), slices.Compact(regoDirs), nil
}

// regoTests lists the folders below a path that hold Rego tests.
func regoTests(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return nil, err
	}
	var dirs []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case p != path && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir() && strings.HasSuffix(d.Name(), "_test.rego"):
			dirs = append(dirs, filepath.Dir(p))
		}
		return nil
	})
	return dirs, err
}

// regoModules reads the Rego files of a folder.
func regoModules(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	modules := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".rego") || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		modules[filepath.ToSlash(name)] = string(text)
	}
	return modules, nil
}
