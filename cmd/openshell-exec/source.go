package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/remote"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// source is where policies come from: a file that is compiled here, a bundle, or
// the gateway.
type source struct {
	o      *options
	engine *rego.Engine
	policy string
	latest *remote.Bundle // of the gateway
}

// load puts what the source holds now into force.
func (s *source) load() (shim.Policy, error) {
	bundle, name, err := s.bundle()
	if err != nil {
		return shim.Policy{}, err
	}
	g, err := s.engine.Load(bundle)
	if err != nil {
		return shim.Policy{}, err
	}
	if s.policy, err = pick(g, name); err != nil {
		return shim.Policy{}, err
	}
	return policyOf(g, s.policy), nil
}

func (s *source) bundle() (data []byte, name string, err error) {
	switch {
	case s.latest != nil:
		return s.latest.Data, s.latest.Policy, nil
	case s.o.policy != "":
		return compile(s.o.policy)
	}
	if data, err = os.ReadFile(s.o.bundle); err != nil {
		return nil, "", err
	}
	return data, s.o.name, s.admit(data)
}

// admit checks a bundle's expiry, and its signature where keys are given: a file
// of one's own needs none.
func (s *source) admit(data []byte) error {
	a, err := archive.Read(data)
	if err != nil {
		return err
	}
	trust := archive.Trust{Insecure: len(s.o.keys) == 0}
	for _, file := range s.o.keys {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		key, err := keys.ParsePublic(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		trust.Keys = append(trust.Keys, key)
	}
	_, err = a.Admit(trust, time.Now())
	return err
}

// compile turns a policy reference into a bundle.
func compile(ref string) (data []byte, name string, err error) {
	sources, name, err := policyset.Pick(ref)
	if err != nil {
		return nil, "", err
	}
	result := policyset.Compile(sources, compiler.Options{})
	if result.Bundle == nil {
		_ = diag.WriteText(os.Stderr, result.Diagnostics, result.Sources, cli.Color(os.Stderr)) // nobody else to tell
		return nil, "", errors.New("the policy does not compile")
	}
	name, err = policyset.Choose(result, name)
	return result.Bundle, name, err
}

// pick is the policy of a bundle that is meant: the named one, or the only one.
func pick(g *rego.Generation, name string) (string, error) {
	var names []string
	for _, p := range g.Policies() {
		names = append(names, p.Name)
	}
	switch {
	case name == "" && len(names) == 1:
		return names[0], nil
	case name == "":
		return "", cli.WithHint(fmt.Errorf("the bundle holds %d policies", len(names)), "add --policy-name %s", strings.Join(names, ", or --policy-name "))
	case !g.Has(name):
		return "", fmt.Errorf("the bundle has no policy %q; it has %s", name, strings.Join(names, ", "))
	}
	return name, nil
}

// policyOf is a policy of a generation as the shim takes it.
func policyOf(g *rego.Generation, name string) shim.Policy {
	files, _ := g.Files(name)
	p := shim.Policy{Decider: g, Name: name, Pipes: files.Pipes, Files: schemas.PolicyFiles{
		Blocked: files.Blocked, Sensitive: files.Sensitive, SensitiveHome: files.SensitiveHome,
		Readonly: files.Readonly, Writable: files.Writable, Baseline: files.Baseline,
	}}
	for _, info := range g.Policies() {
		if info.Name == name {
			p.Audit = info.Mode == schemas.ModeAudit
		}
	}
	return p
}

// ceiling are the file lists of every policy that the source offers.
func ceiling(g *rego.Generation) []schemas.PolicyFiles {
	var out []schemas.PolicyFiles
	for _, info := range g.Policies() {
		out = append(out, policyOf(g, info.Name).Files)
	}
	return out
}
