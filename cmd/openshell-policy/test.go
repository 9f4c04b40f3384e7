package main

import (
	"context"
	"fmt"
	"regexp"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
)

type testOptions struct {
	paths       []string
	verbose     bool
	run         string
	jobs        int
	watch       bool
	coverage    bool
	coverageOut string
	minCoverage float64
	mutate      bool
	minScore    float64
	format      string
	output
}

func newTest() *cobra.Command {
	o := &testOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run policy tests",
		Long: `Run policy tests: files of kind PolicyTest, and the *_test.yaml and *_test.rego of
folders.

Each case asks a policy about a request, a file operation or a command line, and says
what the answer must be. --coverage tells which rules decided a case, and why the
others did not. --mutate changes the policies one rule at a time (dropped, widened,
narrowed, moved to another list) and tells which changes no case notices; each is
printed as a diff of the policy.

Exit status: 0 all passed; 1 a case failed, or --min-coverage or --min-score was not
reached; 2 a file or one of its policies could not be read or compiled.`,
		Example: `  openshell-policy test policies/
  openshell-policy test policies/full-dev_test.yaml -v --run push
  openshell-policy test policies/ --coverage --min-coverage 100
  openshell-policy test policies/ --coverage-out cover.lcov
  openshell-policy test policies/ --mutate --min-score 95
  openshell-policy test policies/ --watch
  openshell-policy test policies/ -o junit > report.xml`,
		Args: cli.Args(1, -1, "test files or folders"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths, o.format = args, format.String()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == "json"}
			o.coverage = o.coverage || o.coverageOut != "" || cmd.Flags().Changed("min-coverage")
			o.mutate = o.mutate || cmd.Flags().Changed("min-score")
			return test(cmd.Context(), o)
		},
		ValidArgsFunction: completeTests,
	}
	f := cmd.Flags()
	f.BoolVarP(&o.verbose, "verbose", "v", false, "also list the cases that passed, the rules that were hit and the mutants that were killed")
	f.StringVar(&o.run, "run", "", "run only the cases whose name matches `REGEXP`; a case without a name has what it asks")
	f.IntVarP(&o.jobs, "jobs", "j", runtime.GOMAXPROCS(0), "`NUMBER` of files run, or batches of mutants judged, at the same time")
	f.BoolVarP(&o.watch, "watch", "w", false, "run again whenever a file changes, until interrupted")
	f.BoolVar(&o.coverage, "coverage", false, "tell which rules decided a case, and why the others did not")
	f.StringVar(&o.coverageOut, "coverage-out", "", "write the coverage to `FILE`: as JSON if it ends in .json, else as LCOV")
	f.Float64Var(&o.minCoverage, "min-coverage", 0, "fail below this `PERCENT` of rules")
	f.BoolVar(&o.mutate, "mutate", false, "change the policies rule by rule, and tell which changes no case notices")
	f.Float64Var(&o.minScore, "min-score", 0, "fail below this `PERCENT` of mutants killed")
	format = cli.AddOutput(cmd, "text", "json", "junit", "tap")
	return cmd
}

func test(ctx context.Context, o *testOptions) error {
	for name, percent := range map[string]float64{"--min-coverage": o.minCoverage, "--min-score": o.minScore} {
		if percent < 0 || percent > 100 {
			return cli.WithHint(fmt.Errorf("%s %v is not a percentage", name, percent), "write a number from 0 to 100")
		}
	}
	if o.jobs < 1 {
		return cli.WithHint(fmt.Errorf("--jobs %d: at least one is needed", o.jobs), "leave it out to use every processor")
	}
	run, err := newTestRun(o)
	if err != nil {
		return err
	}
	if o.watch {
		return run.watch(ctx)
	}
	_, err = run.once(ctx)
	return err
}

// choose compiles --run; nil takes every case.
func (o *testOptions) choose() (func(string) bool, error) {
	if o.run == "" {
		return nil, nil
	}
	re, err := regexp.Compile(o.run)
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("--run %q is not a regular expression: %w", o.run, err), `quote what is meant literally, as in --run '\(push\)'`)
	}
	return re.MatchString, nil
}

// report prints a run in the format that was asked for. What the format has no
// room for goes to stderr as text.
func (o *testOptions) report(suites []*analysis.Suite, cover *analysis.Coverage, mutation *analysis.Mutation) error {
	if o.format == "json" {
		return cli.WriteJSON(o.stdout, analysis.Report{Suites: suites, Totals: analysis.Count(suites), Coverage: cover, Mutation: mutation})
	}
	for _, s := range suites {
		if err := o.diagnose(s.Diagnostics, s.Sources); err != nil {
			return err
		}
	}
	more := o.stderr
	switch o.format {
	case "junit":
		if err := analysis.WriteJUnit(o.stdout, suites); err != nil {
			return err
		}
	case "tap":
		if err := analysis.WriteTAP(o.stdout, suites); err != nil {
			return err
		}
	default:
		more = o.stdout
		color := cli.Color(o.stdout)
		if err := analysis.WriteText(o.stdout, suites, o.verbose, func(good bool, word string) string {
			if good {
				return cli.Paint(color, cli.Green, word)
			}
			return cli.Paint(color, cli.Red, word)
		}); err != nil {
			return err
		}
	}
	if cover != nil {
		if err := cover.WriteText(more, o.verbose); err != nil {
			return err
		}
	}
	if mutation == nil {
		return nil
	}
	return mutation.WriteText(more, o.verbose)
}
