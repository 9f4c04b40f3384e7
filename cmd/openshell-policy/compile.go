package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas/keys"
)

type compileOptions struct {
	paths    []string
	out      string
	name     string
	revision string
	serial   int64
	expires  string
	sign     bool
	key      string
	format   string // of diagnostics
	noSource bool
	output
}

func newCompile() *cobra.Command {
	o := &compileOptions{}
	format := cli.NewOutput(diag.Formats()...)
	cmd := &cobra.Command{
		Use:   "compile POLICY...",
		Short: "Compile policies into an OPA bundle",
		Long: `Compile policy files and folders into an OPA bundle.

The bundle holds Rego, data and a manifest, and any OPA evaluates it:
  opa eval -b bundle.tar.gz -i input.json data.openshell.decision

The same sources give the same bytes, also signed: --sign writes OPA's
.signatures.json with a key that keygen made. A gateway takes bundles from servers and
registries only if a key that it trusts signed them. Of a folder every *.yaml is taken but tests
(*_test.yaml); a ready-made policy is given by its name. Without -o the policies
are only checked. Exit status: 0 compiled, 1 a policy has errors, 2 could not run.`,
		Example: `  openshell-policy compile policies/ -o bundle.tar.gz
  openshell-policy compile policies/github-readonly.yaml
  openshell-policy compile policies/ -o bundle.tar.gz --sign --key team.key --name team --serial 8
  openshell-policy compile policies/ -o - --name team-a --serial 7 | tee bundle.tar.gz | sha256sum`,
		Args: cli.Args(1, -1, "policy files or folders"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.paths = args
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), format.String() != diag.FormatText}
			o.format = format.String()
			return compilePolicies(o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "output", "o", "", "write the bundle to `FILE`; - is stdout")
	f.StringVar(&o.name, "name", "", "`NAME` of the bundle in its manifest")
	f.StringVar(&o.revision, "revision", "", "revision of the bundle (default: the digest of what decides)")
	f.Int64Var(&o.serial, "serial", 0, "serial `NUMBER`; a gateway refuses one lower than it has seen")
	f.StringVar(&o.expires, "expires", "", "`TIME` (RFC 3339) after which a gateway refuses the bundle")
	f.BoolVar(&o.sign, "sign", false, "sign the bundle with the key of --key, or of "+signingKeyEnv)
	f.StringVar(&o.key, "key", "", "`FILE` of the private key (PEM; keygen writes one)")
	f.BoolVar(&o.noSource, "no-sources", false, "leave the text of the policies out of the manifest; inspect and diff then show less")
	f.Var(format, "diagnostics", "`FORMAT` of diagnostics: text on stderr, or one of "+strings.Join(diag.Formats()[1:], ", ")+" on stdout")
	return cmd
}

func compilePolicies(o *compileOptions) error {
	if o.json && o.out == "-" {
		return cli.WithHint(errors.New("bundle and diagnostics cannot both go to stdout"), "write the bundle to a file with -o FILE")
	}
	sources, err := policyset.Load(o.paths...)
	if err != nil {
		return hinted(err)
	}
	opts := compiler.Options{Name: o.name, Revision: o.revision, Serial: o.serial, Compiler: cli.Build().Version}
	if o.expires != "" {
		if opts.Expires, err = time.Parse(time.RFC3339, o.expires); err != nil {
			return cli.WithHint(fmt.Errorf("--expires %q is not a time", o.expires), "write it as 2026-12-31T00:00:00Z")
		}
	}
	opts.KeepSources = !o.noSource
	if opts.Sign, err = o.signer(); err != nil {
		return err
	}
	result := policyset.Compile(sources, opts)
	if err := o.report(result); err != nil {
		return err
	}
	if result.Bundle == nil {
		return cli.Exit(cli.ExitFindings)
	}
	if len(result.Policies) == 0 {
		return cli.WithHint(fmt.Errorf("no policy in %s", strings.Join(o.paths, " ")), "a policy is a document of kind SandboxPolicy; openshell-policy test runs tests")
	}
	return o.deliver(result)
}

// report prints the findings: text on stderr, every other format on stdout.
func (o *compileOptions) report(result *compiler.Result) error {
	if !o.json {
		return o.diagnose(result.Diagnostics, result.Sources)
	}
	return diag.Write(o.stdout, o.format, &diag.Report{
		Diagnostics: result.Diagnostics, Sources: result.Sources, Version: cli.Build().Version,
		Files: slices.Sorted(maps.Keys(result.Sources)),
	})
}

// signer is the key to sign with, nil for a bundle that is not to be signed.
func (o *compileOptions) signer() (*keys.Private, error) {
	if !o.sign {
		if o.key != "" {
			return nil, cli.WithHint(errors.New("--key without --sign"), "add --sign to sign the bundle")
		}
		return nil, nil
	}
	key, err := loadPrivate(o.key, o.stderr)
	return &key, err
}

// deliver writes the bundle to where it was asked for.
func (o *compileOptions) deliver(result *compiler.Result) error {
	if o.out == "-" {
		if cli.IsTerminal(o.stdout) {
			return cli.WithHint(errors.New("a bundle is not text for a terminal"), "write it to a file with -o FILE")
		}
		_, err := o.stdout.Write(result.Bundle)
		return err
	}
	if o.out != "" {
		if err := writeFile(o.out, result.Bundle); err != nil {
			return err
		}
	}
	return o.summarise(result)
}

// summarise says on stderr what was compiled.
func (o *compileOptions) summarise(result *compiler.Result) error {
	rules := 0
	for _, p := range result.Policies {
		rules += len(p.Network.Outbound) + len(p.Network.Denied) + len(p.File.Writable) + len(p.File.Readonly) +
			len(p.File.Blocked) + len(p.Exec.Allowed) + len(p.Exec.Blocked)
	}
	where := "checked only; -o FILE writes the bundle"
	if o.out != "" {
		where = fmt.Sprintf("%s (%d bytes)", o.out, len(result.Bundle))
	}
	_, err := fmt.Fprintf(o.stderr, "%s, %s, revision %.12s: %s\n", count(len(result.Policies), "policy", "policies"), count(rules, "rule", "rules"), result.Revision, where)
	return err
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
