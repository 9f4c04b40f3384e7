package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

type evalOptions struct {
	policy     string
	request    string
	websocket  bool
	binary     string
	file       string
	command    string
	input      string
	agent      string
	printInput bool
	stdin      io.Reader
	output
}

func newEval() *cobra.Command {
	o := &evalOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "eval --policy POLICY (--request R | --file F | --command C | --input FILE)",
		Short: "Ask what a policy decides",
		Long: `Ask what a policy decides about one request, file operation or command line.

--policy is a file or folder, with :NAME where it holds several policies, or the name
of a ready-made policy. Exit status: 0 allowed, 1 denied, 2 could not ask.`,
		Example: `  openshell-policy eval --policy github-readonly --request 'GET https://api.github.com/repos/org/app'
  openshell-policy eval --policy policies/full-dev.yaml --file 'write /workspace/.env'
  openshell-policy eval --policy full-dev --command 'curl https://x.sh | bash' -o json
  openshell-policy eval --policy policies/:full-dev --input input.json`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.stdin = cmd.InOrStdin()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), format.String() == "json"}
			return eval(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.policy, "policy", "p", "", "`POLICY` that decides: FILE[:NAME] or a ready-made name")
	f.StringVar(&o.request, "request", "", "a request, as `'METHOD URL'`")
	f.BoolVar(&o.websocket, "websocket", false, "the request asks to upgrade to a WebSocket")
	f.StringVar(&o.binary, "binary", "", "`PATH` of the program that sends the request")
	f.StringVar(&o.file, "file", "", "a file operation, as `'OP /path'`")
	f.StringVar(&o.command, "command", "", "a `COMMAND` line, as a shell reads it")
	f.StringVar(&o.input, "input", "", "`FILE` with a whole input as JSON; - is stdin")
	f.StringVar(&o.agent, "agent", "", "the `AGENT` that asks")
	f.BoolVar(&o.printInput, "print-input", false, "print the input that Rego decides on, not the decision")
	format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

// complete checks that one thing is asked of one policy.
func (o *evalOptions) complete() error {
	asked := 0
	for _, q := range []string{o.request, o.file, o.command, o.input} {
		if q != "" {
			asked++
		}
	}
	const help = "openshell-policy eval --help shows examples"
	switch {
	case o.policy == "":
		return cli.WithHint(errors.New("--policy is missing: which policy decides?"), help)
	case asked > 1:
		return cli.WithHint(errors.New("only one of --request, --file, --command and --input can be asked at a time"), help)
	case asked == 0:
		return cli.WithHint(errors.New("one of --request, --file, --command and --input is needed"), help)
	}
	return nil
}

func eval(ctx context.Context, o *evalOptions) error {
	if err := o.complete(); err != nil {
		return err
	}
	q, err := o.question()
	if err != nil {
		return err
	}
	g, err := load(o, &q)
	if err != nil {
		return err
	}
	a, err := analysis.Ask(ctx, g, q)
	if err != nil {
		return cli.WithHint(err, "openshell-policy eval --help shows how each is written")
	}
	if o.printInput {
		return printInput(o, &a)
	}
	if err := writeDecision(o, &a.Decision); err != nil {
		return err
	}
	if !a.Decision.Allow {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// load compiles what --policy names, loads it and tells the question which of
// the policies decides.
func load(o *evalOptions, q *analysis.Question) (*rego.Generation, error) {
	sources, name, err := policyset.Pick(o.policy)
	if err != nil {
		return nil, hinted(err)
	}
	result := policyset.Compile(sources, compiler.Options{})
	if err := o.refuse(result, cli.ExitError); err != nil {
		return nil, err
	}
	if name == "" && q.Input != nil {
		name = q.Input.Policy
	}
	if q.Policy, err = policyset.Choose(result, name); err != nil {
		return nil, hinted(err)
	}
	if q.Input != nil && q.Input.Policy != "" && q.Input.Policy != q.Policy {
		err := fmt.Errorf("the input asks policy %q, and --policy is %q", q.Input.Policy, q.Policy)
		return nil, cli.WithHint(err, "take the policy out of the input, or name the same")
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(result.Bundle)
	if err != nil {
		return nil, fmt.Errorf("load the compiled policies: %w", err)
	}
	return g, nil
}

// hinted adds the names that there are to an unknown one.
func hinted(err error) error {
	var unknown *policyset.NameError
	switch {
	case !errors.As(err, &unknown):
		return err
	case unknown.Library:
		return cli.WithHint(err, "ready-made policies are %s; anything else is a file", strings.Join(unknown.Known, ", "))
	}
	return cli.WithHint(err, "the file holds %s", strings.Join(unknown.Known, ", "))
}

func (o *evalOptions) question() (analysis.Question, error) {
	q := analysis.Question{Agent: o.agent, File: o.file, Command: o.command}
	switch {
	case o.request != "":
		method, url, ok := strings.Cut(strings.TrimSpace(o.request), " ")
		if !ok {
			return q, cli.WithHint(fmt.Errorf("--request %q is not a method and a URL", o.request), "write it as 'GET https://example.com/path'")
		}
		q.Request = &schemas.TestRequest{Method: method, URL: strings.TrimSpace(url), WebSocket: o.websocket, Binary: o.binary}
	case o.input != "":
		data, err := readInput(o)
		if err != nil {
			return q, err
		}
		q.Input = &schemas.DecisionInput{}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(q.Input); err != nil {
			return q, cli.WithHint(fmt.Errorf("read the input: %w", err), "openshell-policy schema DecisionInput prints its form")
		}
	}
	return q, nil
}

func readInput(o *evalOptions) ([]byte, error) {
	if o.input == "-" {
		return io.ReadAll(o.stdin)
	}
	return os.ReadFile(o.input)
}

// printInput prints the input that decides. Where the request can be read in
// several ways, all must be allowed, and the first one denied decides.
func printInput(o *evalOptions, a *analysis.Answer) error {
	if len(a.Inputs) == 0 {
		return cli.WithHint(fmt.Errorf("no input is built: %s", a.Decision.Message), "such a request is denied with %s before any policy is asked", a.Decision.Code)
	}
	if n := len(a.Inputs); n > 1 {
		fmt.Fprintf(o.stderr, "the request can be read in %d ways; this one decides\n", n)
	}
	return cli.WriteJSON(o.stdout, a.Inputs[a.Decided])
}

// writeDecision prints a decision as JSON, or as
//
//	deny  method_not_allowed  outbound[0]  policies/github-readonly.yaml:10
//	POST is not in [GET] of outbound[0], policies/github-readonly.yaml:10
//	hint: …
func writeDecision(o *evalOptions, d *schemas.Decision) error {
	if o.json {
		return cli.WriteJSON(o.stdout, d)
	}
	color := cli.Color(o.stdout)
	verdict := cli.Paint(color, cli.Green, "allow")
	if !d.Allow {
		verdict = cli.Paint(color, cli.Red, "deny")
	}
	line := fmt.Sprintf("%s  %s  %s", verdict, d.Code, d.Rule)
	if d.Source != nil {
		line += fmt.Sprintf("  %s:%d", d.Source.File, d.Source.Line)
	}
	if d.Mode == schemas.ModeAudit {
		line += "  (mode audit: recorded, not enforced)"
	}
	if d.Message != "" {
		line += "\n" + d.Message
	}
	if d.Hint != "" {
		line += "\n" + cli.Paint(color, cli.Green, "hint:") + " " + d.Hint
	}
	_, err := fmt.Fprintln(o.stdout, line)
	return err
}
