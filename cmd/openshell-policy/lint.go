package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/internal/cli"
)

type lintOptions struct {
	paths     []string
	format    string
	fix       bool
	diff      bool
	failOn    string
	config    string
	noConfig  bool
	stdinName string
	stdin     io.Reader
	output
}

func newLint() *cobra.Command {
	o := &lintOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "lint PATH...",
		Short: "Find what is wrong, risky or useless in policies",
		Long: `Find what is wrong, risky or useless in policies and their tests.

PATH is a file, a folder (every *.yaml in it, and the Rego modules beside them), a
ready-made policy's name, or - for stdin. What compile finds is found, too. openshell-policy explain CODE says why
something is found and how to mend it.

--fix applies the fixes that change no decision, byte by byte, so that comments and
layout stay; --diff prints what it would change and writes nothing. With - the text
goes to stdout.

A comment silences a code on its line, or above a line for all that is indented
below that line, and must give a reason:
  # openshell-lint: ignore OSP3004 the trial ends in May

Severities are set in .openshell-lint.yaml in the working folder or above it, up to
the top of the repository. In CI take it from the branch that is merged into, with
--config, so that a change cannot relax its own check:
  severities: {OSP3004: error, OSP2114: "off"}   # error, warning, info or off
  overrides: [{files: ["trial/**"], severities: {OSP3004: info}}]
  exclude: ["generated/**"]
  private_hosts: ["**.example.com"]              # hosts of your own network
  fail_on: warning

Exit status: 0 nothing at or above --fail-on, 1 something is, or --diff has a change,
2 could not run.`,
		Example: `  openshell-policy lint policies/
  openshell-policy lint policies/ --fix
  openshell-policy lint policies/ --diff
  openshell-policy lint policies/ -o sarif > lint.sarif
  openshell-policy lint - --stdin-name policies/team.yaml < policies/team.yaml`,
		Args: cli.Args(1, -1, "policy files or folders, or - for stdin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths, o.format, o.stdin = args, format.String(), cmd.InOrStdin()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == diag.FormatJSON}
			return runLint(o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.fix, "fix", false, "apply the safe fixes")
	f.BoolVar(&o.diff, "diff", false, "print what --fix would change, and write nothing")
	f.StringVar(&o.failOn, "fail-on", "", "least `SEVERITY` that makes the status 1: error (default), warning or info")
	f.StringVar(&o.config, "config", "", "`FILE` with severities (default: the nearest .openshell-lint.yaml)")
	f.BoolVar(&o.noConfig, "no-config", false, "look for no configuration")
	f.StringVar(&o.stdinName, "stdin-name", "stdin", "`NAME` of the file that stdin holds")
	format = cli.AddOutput(cmd, diag.Formats()...)
	_ = cmd.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions([]string{"error", "warning", "info"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runLint(o *lintOptions) error {
	debug.SetGCPercent(50) // a thousand policies in less than 200 MB
	failOn, err := severityOf(o.failOn)
	if err != nil {
		return err
	}
	if o.fix && o.diff {
		return cli.WithHint(errors.New("--fix and --diff exclude each other"), "--diff shows what --fix would write")
	}
	config, err := o.configuration()
	if err != nil {
		return err
	}
	in, err := readLint(o, config)
	if err != nil {
		return err
	}
	if config != nil {
		failOn = cmp.Or(failOn, config.FailOn)
	}
	opts := in.options(config)
	if !o.fix && !o.diff {
		return o.report(lint.Run(in.sources, opts), in, failOn, o.stdout)
	}
	fixed := lint.Fix(in.sources, opts)
	if o.diff {
		return o.showDiff(fixed, in, failOn)
	}
	return o.write(fixed, in, failOn)
}

func severityOf(word string) (diag.Severity, error) {
	switch s := diag.Severity(word); s {
	case "", diag.Error, diag.Warning, diag.Info:
		return s, nil
	}
	return "", cli.WithHint(fmt.Errorf("--fail-on %q is not a severity", word), "write error, warning or info")
}

// report prints what was found on w, with a summary on stderr where people read.
func (o *lintOptions) report(r *lint.Result, in *lintInput, failOn diag.Severity, w io.Writer) error {
	report := &diag.Report{
		Diagnostics: r.Diagnostics, Sources: r.Sources, Files: in.names(), FailOn: failOn,
		Color: cli.Color(w), Version: cli.Build().Version,
	}
	if err := diag.Write(w, o.format, report); err != nil {
		return err
	}
	if o.format == diag.FormatText || o.format == diag.FormatGitHub {
		fmt.Fprintf(o.stderr, "%s: %s%s\n", count(len(in.sources)+len(in.modules), "file", "files"), diag.Summary(r.Diagnostics), mendable(r.Diagnostics))
	}
	if diag.Fails(r.Diagnostics, failOn) {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// mendable says how many findings --fix mends.
func mendable(ds []diag.Diagnostic) string {
	n := 0
	for _, d := range ds {
		for _, f := range d.Fixes {
			if f.Safe {
				n++
				break
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; --fix mends %d", n)
}

// showDiff prints what the fixes change on stdout, and what they leave on stderr.
func (o *lintOptions) showDiff(fixed *lint.Fixed, in *lintInput, failOn diag.Severity) error {
	changed := false
	for i, s := range fixed.Sources {
		text := unified(s.Name, in.sources[i].Data, s.Data)
		changed = changed || text != ""
		if _, err := io.WriteString(o.stdout, text); err != nil {
			return err
		}
	}
	err := o.report(fixed.Result, in, failOn, o.stderr)
	if err == nil && changed {
		return cli.Exit(cli.ExitFindings)
	}
	return err
}

// write writes the files that fixes change, and prints what is left.
func (o *lintOptions) write(fixed *lint.Fixed, in *lintInput, failOn diag.Severity) error {
	w := o.stdout
	var written []string
	for i, s := range fixed.Sources {
		path := in.paths[s.Name]
		if path == "" && in.stdin == s.Name {
			w = o.stderr
			if _, err := o.stdout.Write(s.Data); err != nil {
				return err
			}
			continue
		}
		if string(s.Data) == string(in.sources[i].Data) || path == "" {
			continue
		}
		if err := rewrite(path, in.sources[i].Data, s.Data); err != nil {
			return err
		}
		written = append(written, s.Name)
	}
	if len(written) > 0 {
		fmt.Fprintf(o.stderr, "mended %s in %s\n", count(len(fixed.Applied), "finding", "findings"), strings.Join(written, ", "))
	}
	return o.report(fixed.Result, in, failOn, w)
}
