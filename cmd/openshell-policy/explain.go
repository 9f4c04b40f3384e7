package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

func newExplain() *cobra.Command {
	o := &evalOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "explain [TOPIC] | explain --policy POLICY (RULE | --request R | --file F | --command C)",
		Short: "Explain a decision, a code, or what a default stands for",
		Long: `Explain a decision: which rules of a policy were tried, in which order, the first check
that each failed, the nearest miss, and the least to add so that it is allowed.

Or explain a rule of a policy by its id: what it matches, as it is written.

Or explain a topic: a decision code (method_not_allowed), a diagnostic (OSP2001), or
what a default stands for: baseline, sensitive, groups (of commands; one is
@coreutils) or families (of programs with one name). Without a topic, list them.`,
		Example: `  openshell-policy explain --policy github-readonly --request 'POST https://api.github.com/repos/org/app/pulls'
  openshell-policy explain --policy policies/full-dev.yaml --file 'write /etc/hosts'
  openshell-policy explain --policy full-dev --command 'make test'
  openshell-policy explain --policy full-dev 'outbound[0]'
  openshell-policy explain method_not_allowed
  openshell-policy explain OSP2001
  openshell-policy explain @coreutils`,
		Args: cli.Args(0, 1, "at most one topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.stdin = cmd.InOrStdin()
			o.output = output{cmd.OutOrStdout(), cmd.ErrOrStderr(), format.String() == "json"}
			asks := o.request != "" || o.file != "" || o.command != ""
			switch {
			case o.policy != "" && len(args) > 0 && !asks:
				return explainRule(o, args[0])
			case asks && len(args) > 0:
				return cli.WithHint(fmt.Errorf("a topic (%s) and a decision cannot both be explained", args[0]), "leave one of them out")
			case asks || o.policy != "":
				return explainDecision(cmd.Context(), o)
			case len(args) == 0:
				return listTopics(o.stdout)
			}
			return explain(o.stdout, args[0])
		},
		ValidArgsFunction: completeTopics,
	}
	f := cmd.Flags()
	f.StringVarP(&o.policy, "policy", "p", "", "`POLICY` that decides: FILE[:NAME] or a ready-made name")
	f.StringVar(&o.request, "request", "", "a request, as `'METHOD URL'`")
	f.BoolVar(&o.websocket, "websocket", false, "the request asks to upgrade to a WebSocket")
	f.StringVar(&o.binary, "binary", "", "`PATH` of the program that sends the request")
	f.StringVar(&o.file, "file", "", "a file operation, as `'OP /path'`")
	f.StringVar(&o.command, "command", "", "a `COMMAND` line, as a shell reads it")
	f.StringVar(&o.agent, "agent", "", "the `AGENT` that asks")
	_ = cmd.RegisterFlagCompletionFunc("policy", completePolicies)
	format = cli.AddOutput(cmd, "text", "json")
	return cmd
}

func explain(w io.Writer, topic string) error {
	if info, ok := diag.Lookup(strings.ToUpper(topic)); ok {
		return explainDiagnostic(w, info)
	}
	for _, info := range schemas.Codes() {
		if string(info.Code) == strings.ToLower(strings.ReplaceAll(topic, "-", "_")) {
			return explainCode(w, info)
		}
	}
	switch patterns, isGroup := tables.Groups()[topic]; {
	case topic == "baseline":
		return explainBaseline(w)
	case topic == "sensitive":
		return explainSensitive(w)
	case topic == "groups":
		return explainGroups(w)
	case topic == "families":
		return explainFamilies(w)
	case isGroup:
		_, err := fmt.Fprintf(w, "%s in allowed_commands stands for:\n  %s\n", topic, strings.Join(patterns, "\n  "))
		return err
	}
	hint := "openshell-policy explain lists the topics"
	if best := parse.Closest(topic, topics()); best != "" {
		hint = fmt.Sprintf("did you mean %s? %s", best, hint)
	}
	return cli.WithHint(fmt.Errorf("nothing is known of %q", topic), "%s", hint)
}

// topics are the words that a misspelt topic may be meant for.
func topics() []string {
	words := []string{"baseline", "sensitive", "groups", "families"}
	words = slices.AppendSeq(words, maps.Keys(tables.Groups()))
	for _, info := range schemas.Codes() {
		words = append(words, string(info.Code))
	}
	slices.Sort(words)
	return words
}

func explainDiagnostic(w io.Writer, info diag.CodeInfo) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s\n\n%s\n\nTo mend it: %s\n", info.Code, info.Severity, info.Title, info.Why, info.Fix)
	if info.Bad != "" {
		fmt.Fprintf(&b, "\nThis gives %s:\n\n%s\nThis does not:\n\n%s", info.Code, indent(info.Bad), indent(info.Good))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ") + "\n"
}

func explainCode(w io.Writer, info schemas.CodeInfo) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", info.Code, info.Doc)
	fmt.Fprintf(&b, "HTTP status  %d\n", info.Status)
	if info.Reason != "" {
		fmt.Fprintf(&b, "in the log   BLOCKED (%s)\n", info.Reason)
	}
	fmt.Fprintf(&b, "message      %s\n", info.Template)
	lifts := "no: it is enforced in mode audit, too"
	if info.AuditLifts {
		lifts = "yes: recorded, and let through"
	}
	if info.Code != schemas.CodeAllowed {
		fmt.Fprintf(&b, "audit lifts  %s\n", lifts)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func explainBaseline(w io.Writer) error {
	var rows [][]string
	for _, p := range tables.BaselinePaths() {
		rows = append(rows, []string{p.Glob, p.Reason})
	}
	fmt.Fprint(w, "filesystem.baseline: runtime (the default) makes these readable, never writable:\n\n")
	return cli.Table(w, []string{"PATH", "WHY"}, rows)
}

func explainSensitive(w io.Writer) error {
	var rows [][]string
	for _, p := range tables.Sensitive() {
		glob := p.Glob
		if p.Anchor == tables.AnchorHome {
			glob = "~/" + glob
		}
		rows = append(rows, []string{glob, p.Reason})
	}
	fmt.Fprint(w, "filesystem.sensitive: block (the default) blocks these. ~ is /root, each folder of /home and the\n"+
		"sandbox's own home; sensitive: everywhere blocks them at any depth.\n\n")
	return cli.Table(w, []string{"PATH", "WHY"}, rows)
}

func explainGroups(w io.Writer) error {
	var b strings.Builder
	b.WriteString("A group in allowed_commands or blocked_commands stands for every command in it.\n")
	groups := tables.Groups()
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		programs := make([]string, len(groups[name]))
		for i, pattern := range groups[name] {
			programs[i], _, _ = strings.Cut(pattern, " ")
		}
		fmt.Fprintf(&b, "\n%s\n%s", name, wrap(slices.Compact(programs), 76))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap lays words out in indented lines of at most width columns.
func wrap(words []string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range words {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		if column == 0 {
			b.WriteString("  ")
			column = 2
		}
		b.WriteString(word)
		column += len(word)
	}
	b.WriteByte('\n')
	return b.String()
}

func explainFamilies(w io.Writer) error {
	var rows [][]string
	for _, f := range tables.Families() {
		names := f.Names
		for _, prefix := range f.Versioned {
			names = append(names, prefix+"N")
		}
		rows = append(rows, []string{f.Name, strings.Join(names, " ")})
	}
	shells := tables.ShellFamily()
	rows = append(rows, []string{shells[0], strings.Join(shells[1:], " ") + " (in blocked_commands only)"})
	fmt.Fprint(w, "A program's name in a command pattern also means the others of its family.\n\n")
	return cli.Table(w, []string{"NAME", "ALSO"}, rows)
}

func listTopics(w io.Writer) error {
	var rows [][]string
	rows = append(rows, []string{"baseline", "what programs may read in order to run"}, []string{"sensitive", "well-known secrets that are blocked"},
		[]string{"groups", "names that stand for many commands"}, []string{"families", "programs with one name"})
	for _, g := range slices.Sorted(maps.Keys(tables.Groups())) {
		rows = append(rows, []string{g, "a group of commands"})
	}
	for _, info := range schemas.Codes() {
		rows = append(rows, []string{string(info.Code), info.Doc})
	}
	for _, info := range diag.Codes() {
		rows = append(rows, []string{info.Code, info.Title})
	}
	return cli.Table(w, []string{"TOPIC", "WHAT"}, rows)
}
