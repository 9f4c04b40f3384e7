package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/schemas"
)

// completeTests offers test files and folders.
func completeTests(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml", "rego"}, cobra.ShellCompDirectiveFilterFileExt
}

// completePolicies offers what --policy takes: the ready-made names with what
// they are for, and behind FILE: the policies of the file. Else files.
func completePolicies(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	if i := strings.LastIndexByte(word, ':'); i > 0 {
		return completeNames(word[:i]), cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, name := range policies.Names() {
		if strings.HasPrefix(name, word) {
			text, _ := policies.Text(name)
			out = append(out, cobra.CompletionWithDesc(name, title(text)))
		}
	}
	return out, cobra.ShellCompDirectiveDefault
}

// title is the first comment of a policy: # Policy: what it is.
func title(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " Policy:"))
}

// completeNames lists FILE:NAME for the policies of a file or folder.
func completeNames(path string) []string {
	sources, err := policyset.Read(path)
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range sources {
		docs, _ := parse.File(s.Name, s.Data)
		for _, d := range docs {
			if d.Policy != nil {
				out = append(out, path+":"+d.Policy.Metadata.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// completeTopics offers what explain knows, with what it is: the rules of the
// policy that is given, else codes and tables.
func completeTopics(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if policy, _ := cmd.Flags().GetString("policy"); policy != "" {
		return completeRules(policy, word), cobra.ShellCompDirectiveNoFileComp
	}
	about := map[string]string{}
	for _, info := range diag.Codes() {
		about[info.Code] = info.Title
	}
	for _, info := range schemas.Codes() {
		about[string(info.Code)] = info.Doc
	}
	var out []string
	for _, topic := range append(topics(), diagnosticCodes()...) {
		if strings.HasPrefix(strings.ToLower(topic), strings.ToLower(word)) {
			out = append(out, cobra.CompletionWithDesc(topic, about[topic]))
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeRules offers the ids of a policy's rules.
func completeRules(policy, word string) []string {
	_, p, err := pickPlan(policy)
	if err != nil || p == nil {
		return nil
	}
	var out []string
	for _, r := range analysis.Rules(p) {
		if strings.HasPrefix(r.ID, word) {
			out = append(out, cobra.CompletionWithDesc(r.ID, r.About))
		}
	}
	return out
}

func diagnosticCodes() []string {
	var out []string
	for _, info := range diag.Codes() {
		out = append(out, info.Code)
	}
	return out
}

// completeEverywhere completes policies wherever one is asked for and nothing
// else was said: the flag --policy, and the arguments of commands that take
// policies.
func completeEverywhere(cmd *cobra.Command) {
	if _, done := cmd.GetFlagCompletionFunc("policy"); !done && cmd.Flags().Lookup("policy") != nil {
		_ = cmd.RegisterFlagCompletionFunc("policy", completePolicies)
	}
	if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && strings.Contains(cmd.Use, "POLICY...") {
		cmd.ValidArgsFunction = completePolicies
	}
	for _, sub := range cmd.Commands() {
		completeEverywhere(sub)
	}
}
