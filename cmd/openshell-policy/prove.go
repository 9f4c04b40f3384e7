package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/prove"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas"
)

type proveOptions struct {
	invariants string
	refs       []string
	with       []string
	partial    bool
	format     string
	output
}

func newProve() *cobra.Command {
	o := &proveOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "prove INVARIANTS POLICY...",
		Short: "Prove what policies never, always or alone let pass",
		Long: `Prove what policies never, always or alone let pass.

INVARIANTS is a file of kind PolicyInvariants; POLICY is a policy file or folder, or
the name of a ready-made policy. Each invariant is proved for each policy that it
chooses, by name or label, or refuted by a request, file operation or command that
the engine decided:
  never   nothing that a pattern matches passes; read widely, as deny rules are
  always  everything that it matches passes; read narrowly, as allow rules are
  only    on that surface nothing passes but what one of the patterns matches
Patterns are
  METHODS URL    POST,PUT https://api.example.com/**, * *://**.example.com:*/**,
                 with "websocket" or "by /usr/bin/PROGRAM" behind it
  read GLOB, write GLOB
  run COMMAND    a command, or for never also a pipeline
Requests and files are decided exactly. Of commands, a program is the one whose file
has the name; the entry point, carriers (sh, env) and helpers are left aside, because
what they start is judged itself. What can neither be proved nor refuted is unknown.

--with binds policies beside each policy, as openshell sandbox create does with an
agent's.

Exit status: 0 all is proved, 1 something is refuted or unknown, or an invariant is
about none of the policies (unless --partial), 2 could not run.`,
		Example: `  openshell-policy prove policies/invariants.yaml policies/
  openshell-policy prove house-rules.yaml github-readonly --with agent-claude
  openshell-policy prove house-rules.yaml policies/ -o sarif > prove.sarif
  openshell-policy schema PolicyInvariants`,
		Args: cli.Args(2, -1, "a file of invariants and policies"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.invariants, o.refs, o.format = args[0], args[1:], format.String()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), o.format == "json"}
			return runProve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.with, "with", nil, "`POLICIES` that are bound beside each policy")
	f.BoolVar(&o.partial, "partial", false, "the policies given are not all: invariants about none of them are passed over")
	format = cli.AddOutput(cmd, "table", "json", "sarif")
	return cmd
}

func runProve(ctx context.Context, o *proveOptions) error {
	text, err := os.ReadFile(o.invariants)
	if err != nil {
		return err
	}
	invariants, err := o.read(text)
	if err != nil {
		return err
	}
	result, policies, err := o.compile()
	if err != nil {
		return err
	}
	p, err := proveAll(ctx, invariants, policies, result)
	if err != nil {
		return comparisonError(err)
	}
	if len(p.Results) == 0 {
		return cli.WithHint(errors.New("nothing was proved: no invariant is about any of the policies"), "policies are chosen by name and labels in the invariants' policies")
	}
	p.sources[o.invariants] = text
	if err := p.write(o); err != nil {
		return err
	}
	if p.fails(o.partial) {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// read parses the invariants; what is wrong with them is printed.
func (o *proveOptions) read(text []byte) ([]*prove.Invariant, error) {
	invariants, ds := parseInvariants(o.invariants, text)
	errs := output{o.stderr, o.stderr, false}
	if diag.HasErrors(ds) {
		if err := errs.diagnose(ds, map[string][]byte{o.invariants: text}); err != nil {
			return nil, err
		}
		return nil, cli.Exit(cli.ExitError)
	}
	if len(invariants) == 0 {
		return nil, cli.WithHint(fmt.Errorf("no invariant in %q", o.invariants), "the first argument is a document of kind PolicyInvariants; openshell-policy schema PolicyInvariants describes it")
	}
	return invariants, nil
}

func parseInvariants(name string, text []byte) ([]*prove.Invariant, []diag.Diagnostic) {
	docs, ds := parse.File(name, text)
	var invariants []*prove.Invariant
	for _, d := range docs {
		found, more := prove.Parse(d)
		invariants, ds = append(invariants, found...), append(ds, more...)
	}
	return invariants, ds
}

// compile compiles the policies, joined with those of --with.
func (o *proveOptions) compile() (*compiler.Result, []subject, error) {
	sources, err := policyset.Load(o.refs...)
	if err != nil {
		return nil, nil, hinted(err)
	}
	result := policyset.Compile(sources, compiler.Options{})
	var policies []subject
	for _, p := range result.Policies {
		policies = append(policies, subject{p, p.Name})
	}
	if len(o.with) > 0 && result.Bundle != nil {
		result, policies = joined(sources, policies, o.with)
	}
	if err := (output{o.stderr, o.stderr, false}).refuse(result, cli.ExitError); err != nil {
		return nil, nil, err
	}
	if len(policies) == 0 {
		return nil, nil, cli.WithHint(fmt.Errorf("no policy in %s", strings.Join(o.refs, " ")), "a policy is a document of kind SandboxPolicy")
	}
	return result, policies, nil
}

// joined compiles each policy with others bound beside it. The joined policies are
// chosen as the policies themselves are.
func joined(sources []compiler.Source, policies []subject, with []string) (*compiler.Result, []subject) {
	own := map[string]*plan.Policy{}
	for _, p := range policies {
		own[schemas.JoinedName(p.name, with)] = p.Policy
		sources = append(sources, policyset.Joined("joined", p.name, with))
	}
	r := policyset.Compile(sources, compiler.Options{})
	var out []subject
	for _, p := range r.Policies {
		if base := own[p.Name]; base != nil {
			p.Labels = base.Labels
			out = append(out, subject{p, base.Name})
		}
	}
	return r, out
}
