package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/clitest"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/schemas/keys"
)

// Scripts that find a signed bundle, the key that signed it and another.
func TestBundleScripts(t *testing.T) {
	params := clitest.Params(t, "testdata/bundle", *update)
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		if setup != nil {
			if err := setup(env); err != nil {
				return err
			}
		}
		return signedBundle(env.WorkDir)
	}
	testscript.Run(t, params)
}

func signedBundle(dir string) error {
	team, err := pair(filepath.Join(dir, "team.pub"))
	if err != nil {
		return err
	}
	if _, err := pair(filepath.Join(dir, "other.pub")); err != nil {
		return err
	}
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {}\n"
	r := policyset.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Name: "team", Serial: 7, Sign: &team})
	if r.Bundle == nil {
		return errors.New("the policy does not compile")
	}
	return os.WriteFile(filepath.Join(dir, "bundle.tar.gz"), r.Bundle, 0o600)
}

func pair(public string) (keys.Private, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return keys.Private{}, err
	}
	p, err := keys.FromPrivate(key)
	if err != nil {
		return p, err
	}
	return p, os.WriteFile(public, []byte(p.Public.PEM), 0o600)
}
