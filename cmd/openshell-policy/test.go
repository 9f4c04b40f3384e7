package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

type testOptions struct {
	paths   []string
	verbose bool
	output
}

func newTest() *cobra.Command {
	o := &testOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run policy tests",
		Long: `Run policy tests: files of kind PolicyTest, and the *_test.yaml of folders.

Each case asks a policy about a request, a file operation or a command line, and says
what the answer must be. Exit status: 0 all passed, 1 a case failed, 2 a file or one
of its policies could not be read or compiled.`,
		Example: `  openshell-policy test policies/
  openshell-policy test policies/full-dev_test.yaml -v
  openshell-policy test policies/ -o json | jq .totals`,
		Args: cli.Args(1, -1, "test files or folders"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths = args
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), format.String() == "json"}
			return runTests(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "also list the cases that passed")
	format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

func runTests(ctx context.Context, o *testOptions) error {
	files, err := testFiles(o.paths)
	if err != nil {
		return err
	}
	runner := analysis.Runner{
		Read: func(path string) ([]compiler.Source, error) { return policyset.Read(path) },
		Compile: func(sources []compiler.Source) *compiler.Result {
			return policyset.Compile(sources, compiler.Options{})
		},
		Library: policyset.ReadyMade,
	}
	suites, err := runner.RunAll(ctx, files, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	if err := o.report(suites); err != nil {
		return err
	}
	switch t := analysis.Count(suites); {
	case t.Broken > 0:
		return cli.Exit(cli.ExitError)
	case t.Cases == 0:
		return errors.New("no cases were run")
	case t.Failed > 0:
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

func testFiles(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		found, err := policyset.Files(p, policyset.IsTest)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, cli.WithHint(fmt.Errorf("%q holds no tests", p), "tests are files named *_test.yaml")
		}
		files = append(files, found...)
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

func (o *testOptions) report(suites []*analysis.Suite) error {
	if o.json {
		return cli.WriteJSON(o.stdout, analysis.Report{Suites: suites, Totals: analysis.Count(suites)})
	}
	for _, s := range suites {
		if err := o.diagnose(s.Diagnostics, s.Sources); err != nil {
			return err
		}
	}
	color := cli.Color(o.stdout)
	return analysis.WriteText(o.stdout, suites, o.verbose, func(good bool, word string) string {
		if good {
			return cli.Paint(color, cli.Green, word)
		}
		return cli.Paint(color, cli.Red, word)
	})
}
