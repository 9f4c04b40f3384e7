package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// offer makes sure that the gateway has the policy that a reference means, and
// returns its name and where it comes from. A name is looked up in the gateway,
// then among the ready-made policies; a file is stored in the gateway.
func offer(ctx context.Context, c *adminapi.Client, ref string) (name, from string, err error) {
	if policyset.IsFile(ref) {
		return offerFile(ctx, c, ref)
	}
	have, err := c.Policies(ctx)
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(have.Policies, func(p adminapi.Policy) bool { return p.Name == ref })
	if i >= 0 {
		return ref, have.Policies[i].File, nil
	}
	text, ok := policies.Text(ref)
	if !ok {
		return "", "", unknownPolicy(ref, have)
	}
	if _, err := c.Apply(ctx, ref+".yaml", text); err != nil {
		return "", "", explained(err)
	}
	return ref, "library/" + ref + ".yaml", nil
}

func unknownPolicy(name string, have adminapi.PolicyList) error {
	known := policies.Names()
	for _, p := range have.Policies {
		known = append(known, p.Name)
	}
	slices.Sort(known)
	return cli.WithHint(fmt.Errorf("no policy named %q", name),
		"there are %s; a file is named with its folder or ending", strings.Join(slices.Compact(known), ", "))
}

func offerFile(ctx context.Context, c *adminapi.Client, ref string) (name, from string, err error) {
	path := ref
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if i := strings.LastIndexByte(ref, ':'); i > 0 {
			path, name = ref[:i], ref[i+1:]
		}
	}
	applied, err := applyFile(ctx, c, path, nil)
	if err != nil {
		return "", "", err
	}
	switch {
	case name == "" && len(applied.Policies) == 1:
		name = applied.Policies[0]
	case name == "":
		return "", "", fmt.Errorf("%s holds %d policies (%s): name one as FILE:NAME", path, len(applied.Policies), strings.Join(applied.Policies, ", "))
	case !slices.Contains(applied.Policies, name):
		return "", "", fmt.Errorf("%s holds no policy %q, but %s", path, name, strings.Join(applied.Policies, ", "))
	}
	from = path
	if applied.Changed && len(applied.Sandboxes) > 0 {
		from += ", which also changes it for " + strings.Join(applied.Sandboxes, ", ")
	}
	return name, from, nil
}

// applyFile stores a file's policies in the gateway; "-" is stdin.
func applyFile(ctx context.Context, c *adminapi.Client, path string, stdin io.Reader) (adminapi.Applied, error) {
	var text []byte
	var err error
	if path == "-" {
		text, err = io.ReadAll(stdin)
		path = "stdin.yaml"
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return adminapi.Applied{}, err
	}
	applied, err := c.Apply(ctx, filepath.ToSlash(path), text)
	return applied, explained(err)
}

// explained puts the diagnostics of an invalid policy before the error.
func explained(err error) error {
	var e *adminapi.Error
	if errors.As(err, &e) && e.Code == "invalid_policy" && e.Detail != "" {
		return &invalidPolicy{err: err, detail: e.Detail}
	}
	return err
}

// invalidPolicy is a policy that does not compile.
type invalidPolicy struct {
	err    error
	detail string
}

func (e *invalidPolicy) Error() string {
	return "the policy does not compile, and nothing was changed\n" + strings.TrimRight(e.detail, "\n")
}

func (e *invalidPolicy) Unwrap() error { return e.err }
