package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/format"
	"github.com/openshell-policy/openshell/compiler/lint"
	"github.com/openshell-policy/openshell/internal/cli"
)

type fmtOptions struct {
	lintOptions
	write bool
	check bool
	list  bool
}

func newFmt() *cobra.Command {
	o := &fmtOptions{}
	cmd := &cobra.Command{
		Use:   "fmt PATH...",
		Short: "Print policies and tests in their canonical form",
		Long: `Print policies and tests in their canonical form: fields in the order of the schema,
two spaces a level, patterns in double quotes and words without, single blank lines.
Comments stay, and what is on one line stays there where it fits.

As with gofmt the text goes to stdout, and -w writes the files instead. PATH is a file,
a folder (every *.yaml in it), or - for stdin. Nothing is written unless it is proven to
mean the same: both texts are read and compared, comments included.

Exit status: 0 done; 1 with --check or --diff a file has another form, or with --check
does not compile; 2 could not run, or a file cannot be read or formatted.`,
		Example: `  openshell-policy fmt -w policies/
  openshell-policy fmt --check policies/
  openshell-policy fmt --diff policies/team.yaml
  openshell-policy fmt - < policies/team.yaml`,
		Args: cli.Args(1, -1, "policy files or folders, or - for stdin"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths, o.stdin = args, cmd.InOrStdin()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), false}
			return runFmt(o)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&o.write, "write", "w", false, "write the files that have another form")
	f.BoolVar(&o.check, "check", false, "write nothing, and name the files that have another form or do not compile")
	f.BoolVarP(&o.diff, "diff", "d", false, "write nothing, and print what would change")
	f.BoolVarP(&o.list, "list", "l", false, "name the files that have another form")
	f.StringVar(&o.stdinName, "stdin-name", "stdin", "`NAME` of the file that stdin holds")
	return cmd
}

func runFmt(o *fmtOptions) error {
	if o.write && (o.check || o.diff) {
		return cli.WithHint(errors.New("-w excludes --check and --diff"), "--check and --diff write nothing")
	}
	in, err := readLint(&o.lintOptions, nil)
	if err != nil {
		return err
	}
	if len(in.sources) == 0 {
		return cli.WithHint(errors.New("fmt formats policies and tests"), "opa fmt formats Rego")
	}
	if o.write && in.stdin != "" {
		return cli.WithHint(errors.New("stdin cannot be written"), "leave -w out: the text goes to stdout")
	}
	changed, failed := 0, false
	for _, s := range in.sources {
		text, err := o.format(s)
		if err != nil {
			cli.PrintError(o.stderr, err)
			failed = true
			continue
		}
		if string(text) != string(s.Data) {
			changed++
		}
		if err := o.deliver(s, text, in.paths[s.Name]); err != nil {
			return err
		}
	}
	return o.status(in, changed, failed)
}

// format returns the canonical form of a file; findings are printed.
func (o *fmtOptions) format(s lint.Source) ([]byte, error) {
	text, ds, err := format.Source(s.Name, s.Data)
	var refused *format.RefusedError
	switch {
	case errors.As(err, &refused):
		return nil, cli.WithHint(fmt.Errorf("%s is not formatted: %w", s.Name, err), "the file is as it was")
	case err != nil:
		return nil, err
	case text == nil:
		if err := diag.WriteText(o.stderr, ds, map[string][]byte{s.Name: s.Data}, cli.Color(o.stderr)); err != nil {
			return nil, err
		}
		return nil, cli.Exit(cli.ExitError)
	}
	return text, nil
}

// deliver prints or writes one file as the flags say.
func (o *fmtOptions) deliver(s lint.Source, text []byte, path string) error {
	same := string(text) == string(s.Data)
	if (o.list || o.check) && !same {
		fmt.Fprintln(o.stdout, s.Name)
	}
	switch {
	case o.diff:
		_, err := io.WriteString(o.stdout, unified(s.Name, s.Data, text))
		return err
	case o.write && !same && path != "":
		return rewrite(path, s.Data, text)
	case o.write || o.check || o.list:
		return nil
	}
	_, err := o.stdout.Write(text)
	return err
}

func (o *fmtOptions) status(in *lintInput, changed int, failed bool) error {
	if o.check {
		r := lint.Run(in.sources, in.options(nil))
		var errs []diag.Diagnostic
		for _, d := range r.Diagnostics {
			if d.Severity == diag.Error {
				errs = append(errs, d)
			}
		}
		if !failed && len(errs) > 0 {
			if err := diag.WriteText(o.stderr, errs, r.Sources, cli.Color(o.stderr)); err != nil {
				return err
			}
		}
		if len(errs) > 0 {
			return cli.Exit(cli.ExitFindings)
		}
	}
	switch {
	case failed:
		return cli.Exit(cli.ExitError)
	case changed > 0 && (o.check || o.diff):
		fmt.Fprintf(o.stderr, "%s to format; openshell-policy fmt -w does it\n", count(changed, "file", "files"))
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}
