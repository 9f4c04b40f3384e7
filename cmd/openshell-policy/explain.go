package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [TOPIC]",
		Short: "Explain a code, or what a default stands for",
		Long: `Explain a decision code (method_not_allowed), a diagnostic (OSP2001), or what a
default stands for: baseline, sensitive, or a command group such as @coreutils.
Without a topic, list them.`,
		Example: `  openshell-policy explain method_not_allowed
  openshell-policy explain OSP2001
  openshell-policy explain baseline`,
		Args: cli.Args(0, 1, "at most one topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listTopics(cmd.OutOrStdout())
			}
			return explain(cmd.OutOrStdout(), args[0])
		},
	}
}

func explain(w io.Writer, topic string) error {
	if info, ok := diag.Lookup(strings.ToUpper(topic)); ok {
		return explainDiagnostic(w, info)
	}
	for _, info := range schemas.Codes() {
		if string(info.Code) == strings.ToLower(topic) {
			return explainCode(w, info)
		}
	}
	switch patterns, isGroup := tables.Groups()[topic]; {
	case topic == "baseline":
		return explainBaseline(w)
	case topic == "sensitive":
		return explainSensitive(w)
	case isGroup:
		_, err := fmt.Fprintf(w, "%s in allowed_commands stands for:\n  %s\n", topic, strings.Join(patterns, "\n  "))
		return err
	}
	return cli.WithHint(fmt.Errorf("nothing is known of %q", topic), "openshell-policy explain lists the topics")
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

func listTopics(w io.Writer) error {
	var rows [][]string
	rows = append(rows, []string{"baseline", "what programs may read in order to run"}, []string{"sensitive", "well-known secrets that are blocked"})
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
