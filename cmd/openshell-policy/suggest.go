package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/suggest"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

type suggestOptions struct {
	selection
	suggest.Options
	for_   string
	unused string
	write  bool
	output
}

func newSuggest() *cobra.Command {
	o := &suggestOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use: "suggest LOG... --for POLICY", Short: "Suggest the least to add for what logs show denied",
		Long: `Suggest the least to add to a policy so that what logs show denied, or passing only by
mode audit, is allowed; as a patch that keeps the file's comments and layout, with
exactly what more would pass.

` + auditLogs + `

--for is the policy, a file (FILE:NAME where it holds several) or the name of a
ready-made one, which gets a policy that extends it. Records of the policy of that
name count, or those of --policy NAME.

What is suggested is what was seen: each method, path, file and command by itself. A
segment of a path becomes * only where --generalise different values were seen in its
place, and hosts are only joined with --across-hosts. Blocked and denied things,
well-known secrets, addresses, plain HTTP and what can be read in several ways are
never suggested; they are listed with the reason. Every suggestion was tried: the
changed policy decides the same logs again, and suggests nothing more for them.

--unused 30d instead lists the rules that decided nothing in that time, as the policy
decides now, with the patch that takes those away that allow.

Exit status: 0 nothing to suggest, 1 something is suggested, 2 could not run.`,
		Example: `  openshell-policy suggest ~/.local/state/openshell/audit --for dev.yaml --since 7d
  openshell-policy suggest audit --for dev.yaml --write
  openshell-policy suggest audit --for dev.yaml --unused 30d`,
		Args: cli.Args(1, -1, "at least one LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), format.String() == "json"}
			return runSuggest(cmd.Context(), o, args)
		},
	}
	o.flags(cmd, true)
	f := cmd.Flags()
	f.Lookup("policy").Usage = "take the records of the policy `NAME`, whatever --for is called"
	f.StringVar(&o.for_, "for", "", "the `POLICY` to add to (required)")
	f.IntVar(&o.Generalise, "generalise", 5, "write * for a segment where at least `N` different values were seen; 0 never")
	f.IntVar(&o.Hosts, "across-hosts", 0, "write *.DOMAIN where at least `N` different hosts of one domain were seen; 0 never")
	f.StringVar(&o.unused, "unused", "", "list the rules that nothing used for a `DURATION` such as 30d")
	f.BoolVarP(&o.write, "write", "w", false, "change the policy's file")
	_ = cmd.RegisterFlagCompletionFunc("for", completePolicies)
	format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

// suggestion is what -o json prints.
type suggestion struct {
	*suggest.Suggestion
	Policy string           `json:"policy"`
	Unused []suggest.Unused `json:"unused,omitempty"`
	Patch  string           `json:"patch,omitempty"` // a unified diff of the policy's file
	YAML   string           `json:"yaml,omitempty"`  // a policy of its own, where the file is not yours
	Change *comparison      `json:"change,omitempty"`
}

// subjectOf is the policy that is to be changed.
type subjectOf struct {
	side *policySide
	plan *plan.Policy
	doc  *parse.Document // nil where the policy is not the reader's to edit
}

func runSuggest(ctx context.Context, o *suggestOptions, args []string) error {
	sub, err := o.subject()
	if err != nil {
		return err
	}
	if o.unused != "" {
		if o.since != "" {
			return errors.New("--unused says since when, and so does --since: name one of them")
		}
		o.since = o.unused
	}
	logs, err := logsOf(args)
	if err != nil {
		return err
	}
	target, filter, err := o.target(sub.side)
	if err != nil {
		return err
	}
	s, err := suggest.From(ctx, query.Events(logs, filter), target.find, sub.plan, o.Options)
	if err != nil {
		return replayError(err, sub.side)
	}
	out := &suggestion{Suggestion: s, Policy: sub.plan.Name}
	m, err := o.change(out, sub)
	if err != nil {
		return err
	}
	if m != nil {
		if err := o.apply(ctx, out, sub, m); err != nil {
			return err
		}
	}
	if err := o.print(out); err != nil {
		return err
	}
	if m != nil {
		return cli.Exit(cli.ExitFindings)
	}
	return nil
}

// subject finds the one policy that --for names, and where it is written.
func (o *suggestOptions) subject() (*subjectOf, error) {
	if o.for_ == "" {
		return nil, cli.WithHint(errors.New("--for is missing: which policy is to be changed?"), "openshell-policy suggest LOG --for policies/dev.yaml")
	}
	sources, name, err := policyset.Pick(o.for_)
	if err != nil {
		return nil, hinted(err)
	}
	side := compiledSide(o.for_, name, sources)
	if err := (output{o.stderr, o.stderr, false}).refuse(side.result, cli.ExitError); err != nil {
		return nil, err
	}
	if side.name, err = policyset.Choose(side.result, name); err != nil {
		return nil, hinted(err)
	}
	sub := &subjectOf{side: side, plan: side.policies()[side.name]}
	for _, s := range sources {
		docs, _ := parse.File(s.Name, s.Data)
		for _, d := range docs {
			if d.Policy != nil && d.Policy.Metadata.Name == side.name && !strings.HasPrefix(s.Name, "library/") {
				sub.doc = d
			}
		}
	}
	return sub, nil
}

// change is the policy with what is suggested; nil if that is nothing.
func (o *suggestOptions) change(out *suggestion, sub *subjectOf) (*mutate.Mutant, error) {
	if o.unused != "" {
		if out.First.After(o.filter.Since.Add(24 * time.Hour)) {
			fmt.Fprintf(o.stderr, "warning: the logs begin %s, later than asked: a rule may have been used before\n", period(out.First, out.First))
		}
		out.Unused = out.Suggestion.Unused(sub.doc, sub.plan)
		if sub.doc == nil {
			return nil, nil
		}
		return suggest.Remove(sub.doc, out.Unused)
	}
	if out.Empty() {
		return nil, nil
	}
	doc := sub.doc
	if doc == nil {
		doc = analysis.Extension(sub.plan.Name)
	}
	return out.Apply(doc, sub.plan)
}

// apply tries the change, shows what it means, and writes it if it is asked to.
func (o *suggestOptions) apply(ctx context.Context, out *suggestion, sub *subjectOf, m *mutate.Mutant) error {
	text, ok := m.Text()
	if !ok {
		return errors.New("the change cannot be written into the policy's file as it is laid out")
	}
	changed := compiler.Source{Name: m.Document.File, Data: text}
	sources := slices.DeleteFunc(slices.Clone(sub.side.sources), func(s compiler.Source) bool { return s.Name == changed.Name })
	after := compiledSide("suggested", m.Policy(), append(sources, changed))
	if after.result.Bundle == nil {
		return errors.New("the changed policy would not compile")
	}
	e, err := after.load()
	if err != nil {
		return err
	}
	if o.unused == "" {
		out.Check(ctx, e, m.Policy())
	}
	if out.Change, err = compareSides(ctx, &policySide{
		label: "now", name: sub.side.name, result: sub.side.result, bundle: sub.side.bundle, extensions: sub.side.extensions,
	}, after); err != nil {
		return comparisonError(err)
	}
	if sub.doc == nil {
		out.YAML = string(text)
	} else {
		out.Patch = m.Diff()
	}
	if !o.write {
		return nil
	}
	if sub.doc == nil {
		return cli.WithHint(fmt.Errorf("%s is a ready-made policy, which is not changed", sub.plan.Name), "leave --write out, and save the policy that is printed")
	}
	return writeFile(sub.doc.File, text)
}
