// Package scaffold writes a first policy of one's own, on top of ready-made ones,
// with a test whose every case was asked before it is written.
package scaffold

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
)

// Choice says what a policy is for. Every field may be empty.
type Choice struct {
	Name       string   // of the policy; a name of its own
	Presets    []string // ready-made policies
	Agent      string   // claude, codex, ...
	Languages  []string // go, node, python, rust
	Registries []string // npm, pypi, ...
	Schema     string   // what the modeline of the policy names; "" for none
	TestSchema string   // likewise of the test
}

// UnknownError is a choice that there is not.
type UnknownError struct {
	What  string // agent, language, registry, preset
	Name  string
	Known []string
}

// Error names the choice.
func (e *UnknownError) Error() string { return fmt.Sprintf("no %s named %q", e.What, e.Name) }

// fallback is what a policy is built on that names nothing but a name.
const fallback = "github-read"

// Agents lists the agents that have a ready-made policy.
func Agents() []string {
	var out []string
	for _, name := range policies.Names() {
		if agent, ok := strings.CutPrefix(name, "agent-"); ok {
			out = append(out, agent)
		}
	}
	return out
}

// Presets lists the ready-made policies that are no agent's.
func Presets() []string {
	return slices.DeleteFunc(policies.Names(), func(name string) bool { return strings.HasPrefix(name, "agent-") })
}

// Registries lists the ready-made policies of package registries.
func Registries() []string { return labelled("registry") }

func labelled(tier string) []string {
	var out []string
	for _, name := range policies.Names() {
		if d := library(name); d != nil && d.Policy.Metadata.Labels["tier"] == tier {
			out = append(out, name)
		}
	}
	return out
}

func library(name string) *parse.Document {
	source, ok := policyset.ReadyMade(name)
	if !ok {
		return nil
	}
	docs, _ := parse.File(source.Name, source.Data)
	if len(docs) == 0 || docs[0].Policy == nil {
		return nil
	}
	return docs[0]
}

// language is a language with the registry that its tools read.
type language struct{ name, registry string }

func languages() []language {
	return []language{{"go", "go-modules"}, {"node", "npm"}, {"python", "pypi"}, {"rust", "cargo"}}
}

// Languages lists the languages with a registry.
func Languages() []string {
	var out []string
	for _, l := range languages() {
		out = append(out, l.name)
	}
	return out
}

// bases resolves a choice to the ready-made policies to extend, each once.
func (c Choice) bases() ([]string, error) {
	var out []string
	add := func(what, name, policy string, known []string) error {
		if !slices.Contains(known, name) {
			return &UnknownError{what, name, known}
		}
		if !slices.Contains(out, policy) {
			out = append(out, policy)
		}
		return nil
	}
	if c.Agent != "" {
		if err := add("agent", c.Agent, "agent-"+c.Agent, Agents()); err != nil {
			return nil, err
		}
	}
	presets := c.Presets
	if len(presets) == 0 {
		presets = []string{fallback}
	}
	for _, name := range presets {
		if err := add("ready-made policy", name, name, policies.Names()); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Languages {
		registry := ""
		for _, l := range languages() {
			if l.name == name {
				registry = l.registry
			}
		}
		if err := add("language", name, registry, Languages()); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Registries {
		if err := add("registry", name, name, Registries()); err != nil {
			return nil, err
		}
	}
	return withoutExtended(out), nil
}

// withoutExtended leaves out what another of the list brings.
func withoutExtended(names []string) []string {
	brought := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if d := library(name); d != nil {
			for _, base := range d.Policy.Spec.Extends {
				brought[base] = true
				visit(base)
			}
		}
	}
	for _, n := range names {
		visit(n)
	}
	return slices.DeleteFunc(names, func(n string) bool { return brought[n] })
}

// files tells whether the policies say anything about files.
func files(names []string) bool {
	for _, n := range names {
		if d := library(n); d != nil && (d.Policy.Spec.Filesystem != nil || files(d.Policy.Spec.Extends)) {
			return true
		}
	}
	return false
}
