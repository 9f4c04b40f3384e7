package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
)

type reviewOptions struct {
	paths      []string
	against    string
	invariants string
	ignore     string
	failOn     string
	lintFailOn string
	summary    string
	logs       []string
	now        time.Time
	format     string
	output
}

func newReview() *cobra.Command {
	o := &reviewOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "review --against REVISION POLICY...",
		Short: "Review a change of policies: lint, tests, what it means, what holds",
		Long: `Review a change of policies against a revision of git, for a pull request: lint and
tests of what the paths hold now, what the change lets pass, and whether the
invariants still hold, as one comment in Markdown (widenings first, at most 65,000
characters), SARIF or JSON.

What decides whether the review passes is taken from the revision, so that a change
cannot relax its own gate: .openshell-lint.yaml, --invariants and --ignore are read
as they stand there. A file that the revision does not have is said to be new and
does not count, except for invariants, which can only make the review stricter. An
ignore comment in a policy counts; it is in the change for everybody to see.

Exit status: 0 passes, 1 does not: a policy that does not compile, a finding of lint
at or above --lint-fail-on (default: what the configuration says, else error), a
failed test, an invariant that is refuted or unknown, or --fail-on met by the
difference; 2 could not run.`,
		Example: `  openshell-policy review --against origin/main policies/
  openshell-policy review --against origin/main policies/ --invariants policies/invariants.yaml --fail-on wider
  openshell-policy review --against origin/main policies/ --summary "$GITHUB_STEP_SUMMARY" -o sarif > review.sarif`,
		Args: cli.Args(1, -1, "policy files or folders"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths, o.format, o.now = args, format.String(), time.Now()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == "json"}
			return runReview(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.against, "against", "", "the git `REVISION` that is merged into, such as origin/main (required)")
	f.StringVar(&o.invariants, "invariants", "", "`FILE` of kind PolicyInvariants, as the revision has it")
	f.StringVar(&o.ignore, "ignore", "", "`FILE` with accepted changes, as the revision has it; see diff --help")
	f.StringVar(&o.failOn, "fail-on", "", "what the difference may not be: wider, narrower, any, unknown, several `WORDS` with commas")
	f.StringVar(&o.lintFailOn, "lint-fail-on", "", "least `SEVERITY` of a lint finding that fails: error, warning or info")
	f.StringVar(&o.summary, "summary", "", "append the Markdown to `FILE` too, such as $GITHUB_STEP_SUMMARY")
	f.StringArrayVar(&o.logs, "logs", nil, "also say what comes of the recorded traffic of a decision `LOG`; see replay --help")
	format = cli.AddOutput(cmd, "markdown", "json", "sarif")
	return cmd
}

func runReview(ctx context.Context, o *reviewOptions) error {
	if o.against == "" {
		return cli.WithHint(errors.New("--against is missing: which revision is the change merged into?"), "openshell-policy review --against origin/main policies/")
	}
	gates, err := parseGates(o.failOn)
	if err != nil {
		return err
	}
	if _, err := severityOf(o.lintFailOn); err != nil {
		return err
	}
	r, err := o.review(ctx, gates)
	if err != nil {
		return comparisonError(err)
	}
	if o.summary != "" {
		if err := appendFile(o.summary, r.markdown(maxMarkdown)); err != nil {
			return err
		}
	}
	if err := r.write(o); err != nil {
		return err
	}
	if len(r.Failures) > 0 {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// review runs the parts. One that cannot run because the policies do not compile
// is left out; that lint says why fails the review.
func (o *reviewOptions) review(ctx context.Context, gates []string) (*review, error) {
	base, err := o.base(ctx)
	if err != nil {
		return nil, err
	}
	r := &review{Against: o.against, Notes: base.notes, Failures: []string{}}
	if err := r.lint(o, base); err != nil {
		return nil, err
	}
	if err := r.test(ctx, o); err != nil {
		return nil, err
	}
	if !r.compiles() {
		r.fail("the policies do not compile")
		return r, nil
	}
	if err := r.diff(ctx, o, base, gates); err != nil {
		return nil, err
	}
	return r, r.prove(ctx, o, base)
}

func (r *review) fail(format string, args ...any) {
	r.Failures = append(r.Failures, fmt.Sprintf(format, args...))
}

// compiles tells whether lint found nothing that keeps a policy from being
// compiled.
func (r *review) compiles() bool {
	for _, d := range r.Lint.Diagnostics {
		if info, ok := diag.Lookup(d.Code); ok && info.Part == diag.PartCompile && info.Severity == diag.Error {
			return false
		}
	}
	return true
}

func (r *review) write(o *reviewOptions) error {
	switch o.format {
	case "json":
		return cli.WriteJSON(o.stdout, r)
	case "sarif":
		return diag.Write(o.stdout, diag.FormatSARIF, &diag.Report{Diagnostics: r.findings(), Sources: r.sources, Version: cli.Build().Version})
	}
	_, err := fmt.Fprint(o.stdout, r.markdown(maxMarkdown))
	return err
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return cmp.Or(err, f.Close())
}
