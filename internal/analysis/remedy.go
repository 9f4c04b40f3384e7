package analysis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/schemas"
)

// Addition is the least to add so that one denied thing is allowed.
type Addition struct {
	// Diff is the change to the policy's file; for a ready-made policy, which is
	// not yours to edit, YAML is a policy that extends it.
	Diff string `json:"diff,omitempty"`
	YAML string `json:"yaml,omitempty"`
	// Rule is what then allows it: the addition was tried.
	Rule string `json:"rule"`
}

// remedy finds what to add, and tries it.
func (r *Runner) remedy(ctx context.Context, x *explainer) error {
	do, advice := x.change(ctx)
	if x.Advice = advice; do == nil {
		return nil
	}
	doc, extending := x.docs[x.policy], false
	if doc == nil || !slices.ContainsFunc(x.own, func(s compiler.Source) bool { return s.Name == doc.File }) || strings.HasPrefix(doc.File, "library/") {
		if doc, extending = Extension(x.policy), true; doc == nil {
			return nil
		}
	}
	m, err := mutate.Change(doc, do)
	if err != nil {
		return err
	}
	text, ok := m.Text()
	if !ok {
		x.Advice = "a rule for this alone cannot be written into the policy as it is laid out"
		return nil
	}
	d, err := r.after(ctx, x, m, text)
	if err != nil {
		return err
	}
	if !d.Allow {
		x.Advice = fmt.Sprintf("adding a rule is not enough: %s", d.Message)
		return nil
	}
	x.Addition = &Addition{Rule: d.Rule}
	if extending {
		x.Addition.YAML = string(text)
	} else {
		x.Addition.Diff = m.Diff()
	}
	return nil
}

// Extension is the beginning of a policy that extends a ready-made one.
func Extension(name string) *parse.Document {
	text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata:\n  name: my-%s\nspec:\n  extends: [%s]\n", schemas.APIVersion, schemas.KindSandboxPolicy, name, name)
	docs, _ := parse.File("my-"+name+".yaml", []byte(text))
	if len(docs) != 1 {
		return nil
	}
	return docs[0]
}

// after decides the same input under the changed policy.
func (r *Runner) after(ctx context.Context, x *explainer, m *mutate.Mutant, text []byte) (schemas.Decision, error) {
	changed := compiler.Source{Name: m.Document.File, Data: text}
	sources := slices.DeleteFunc(slices.Clone(x.sources), func(s compiler.Source) bool { return s.Name == changed.Name })
	sources = append(sources, changed)
	w := &world{own: sources, sources: sources, result: r.Compile(sources)}
	if w.result.Bundle == nil {
		return schemas.Decision{Message: "the policy would not compile"}, nil
	}
	set, err := newSet(ctx, w, m.Policy())
	if err != nil {
		return schemas.Decision{}, err
	}
	return decideBy(ctx, set, m.Policy()+"~", []schemas.DecisionInput{x.in})
}

// change is what to add for a denial; nil where nothing can be added.
func (x *explainer) change(ctx context.Context) (do func(*schemas.Spec), advice string) {
	d := x.Decision
	if d.Rule == schemas.RuleSensitive {
		return nil, "well-known secrets stay blocked whatever else allows them; filesystem.sensitive: allow turns the whole table off"
	}
	if strings.HasPrefix(d.Rule, "extension.") {
		return nil, fmt.Sprintf("the policy lets it pass, and %s denies it: extensions deny whatever the rules say", by(&d))
	}
	switch d.Code {
	case schemas.CodeDeniedRule, schemas.CodeBlockedPath, schemas.CodeBlockedCommand:
		return nil, fmt.Sprintf("what is denied or blocked wins over everything that allows: take %s away, or make it narrower", by(&d))
	case schemas.CodeHostNotInPolicy, schemas.CodePortNotAllowed, schemas.CodeSchemeNotAllowed, schemas.CodeBinaryNotAllowed,
		schemas.CodeMethodNotAllowed, schemas.CodePathNotAllowed, schemas.CodeQueryNotAllowed, schemas.CodeWebSocketNotAllowed, schemas.CodeBadRequest:
		if x.in.Network != nil {
			return x.allowRequest(), ""
		}
	case schemas.CodeNotWritable:
		if d.Rule != schemas.RuleDefault {
			return nil, fmt.Sprintf("readonly wins over writable: take %s away, or make it narrower", by(&d))
		}
		return x.allowFile(func(f *schemas.Filesystem) *[]string { return &f.Writable }), ""
	case schemas.CodeNotReadable:
		return x.allowFile(func(f *schemas.Filesystem) *[]string { return &f.Readonly }), ""
	case schemas.CodeCommandNotAllowed:
		return x.allowCommands(ctx), ""
	case schemas.CodeUntrustedProgram:
		return nil, "no rule allows a program that the sandbox itself can change; install it outside of what is writable"
	}
	return nil, ""
}

// allowRequest adds a rule for this request and nothing else.
func (x *explainer) allowRequest() func(*schemas.Spec) {
	n := x.in.Network
	r := schemas.NetworkRule{Host: n.Host, Methods: []string{n.Method}, Paths: []string{PathPattern(n.Path)}}
	if n.Scheme == "https" && n.Port != 443 || n.Scheme == "http" && n.Port != 80 {
		r.Scheme, r.Ports = schemas.Scheme(n.Scheme), []int{n.Port}
	}
	if n.WebSocket {
		yes := true
		r.WebSocket = &yes
	}
	if strings.Contains(n.Path, "%2F") {
		r.EncodedSlash = "allow"
	}
	if x.Decision.Code == schemas.CodeQueryNotAllowed {
		r.Query = map[string]schemas.QueryMatch{}
		for key, values := range n.Query {
			var globs []string
			for _, v := range values {
				globs = append(globs, LiteralGlob(v))
			}
			r.Query[key] = schemas.QueryMatch{Match: globs}
		}
		if len(r.Query) == 0 {
			r.Query = nil
		}
	}
	return func(s *schemas.Spec) {
		if s.Network == nil {
			s.Network = &schemas.Network{}
		}
		s.Network.Outbound = append(s.Network.Outbound, r)
	}
}

// PathPattern writes a canonical path as a pattern that matches it alone.
func PathPattern(path string) string { return LiteralGlob(strings.ReplaceAll(path, "%25", "%")) }

// LiteralGlob escapes what a glob would read. Inputs have their backslashes
// doubled already.
func LiteralGlob(s string) string {
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// allowFile adds a path to a list. A policy without a clause for files loses its
// defaults by having one, so that they are written out.
func (x *explainer) allowFile(list func(*schemas.Filesystem) *[]string) func(*schemas.Spec) {
	paths := []string{LiteralGlob(x.in.File.Path)}
	if t := x.in.File.Target; t != nil {
		paths = append(paths, LiteralGlob(t.Path))
	}
	var defaults []string
	for _, r := range x.plan.File.Writable {
		if r.ID == schemas.RuleDefault {
			defaults = append(defaults, r.Text)
		}
	}
	return func(s *schemas.Spec) {
		if s.Filesystem == nil {
			s.Filesystem = &schemas.Filesystem{Writable: defaults}
		}
		l := list(s.Filesystem)
		for _, p := range paths {
			if !slices.Contains(*l, p) {
				*l = append(*l, p)
			}
		}
	}
}

// allowCommands adds every command of the list that nothing allows yet.
func (x *explainer) allowCommands(ctx context.Context) func(*schemas.Spec) {
	var patterns []string
	for _, in := range x.alone(attempt{}) {
		c := in.Exec.Commands[0]
		if d := x.g.Decide(ctx, &in); d.Allow {
			continue
		}
		words := []string{c.Named}
		if c.Named == "" {
			words[0] = c.Program
		}
		for _, a := range c.Args {
			words = append(words, ShellWord(a))
		}
		patterns = append(patterns, strings.Join(words, " "))
	}
	return func(s *schemas.Spec) {
		if s.Execution == nil {
			s.Execution = &schemas.Execution{}
		}
		list := []string{}
		if s.Execution.AllowedCommands != nil {
			list = *s.Execution.AllowedCommands
		}
		for _, p := range patterns {
			if !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
		s.Execution.AllowedCommands = &list
	}
}

// ShellWord quotes an argument, as inputs hold it with its backslashes doubled, for
// a pattern, so that it means itself.
func ShellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:@%,") == "" {
		return s
	}
	s = strings.ReplaceAll(s, `\\`, `\`)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
