package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/rego/registry"
)

const registryHelp = `
The layout is the one that OPA pulls (services of type oci). Credentials are those
that docker login stored, or OPENSHELL_REGISTRY_USERNAME and
OPENSHELL_REGISTRY_PASSWORD.`

func registryOptions(cmd *cobra.Command) *registry.Options {
	o := &registry.Options{}
	cmd.Flags().BoolVar(&o.PlainHTTP, "plain-http", false, "speak http to the registry; for one on this machine")
	return o
}

func fromEnvironment(o *registry.Options) registry.Options {
	out := *o
	out.Username, out.Password = os.Getenv("OPENSHELL_REGISTRY_USERNAME"), os.Getenv("OPENSHELL_REGISTRY_PASSWORD")
	return out
}

func newBundlePush() *cobra.Command {
	var o *registry.Options
	cmd := &cobra.Command{
		Use:     "push FILE REFERENCE",
		Short:   "Push a bundle to an OCI registry",
		Long:    "Push a bundle to an OCI registry and print the digest that it then has.\n" + registryHelp,
		Example: `  openshell-policy bundle push bundle.tar.gz oci://registry.example.com/team/policies:v7`,
		Args:    cli.Args(2, 2, "a bundle and where to push it to"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, data, err := readArchive(args[0])
			if err != nil {
				return err
			}
			digest, err := registry.Push(cmd.Context(), args[1], data, fromEnvironment(o))
			if err != nil {
				return unreached(err)
			}
			if !a.Signature().Present {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %s is not signed; gateways refuse it\n", args[0])
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), digest)
			return err
		},
	}
	o = registryOptions(cmd)
	return cmd
}

func newBundlePull() *cobra.Command {
	var o *registry.Options
	var out string
	v := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "pull REFERENCE",
		Short: "Pull a bundle from an OCI registry, and verify it",
		Long: `Pull a bundle from an OCI registry, verify it and write it to a file. What is not
signed by a key that --key names is not written, unless --insecure-unsigned is given.
` + registryHelp,
		Example: `  openshell-policy bundle pull oci://registry.example.com/team/policies:v7 -o bundle.tar.gz --key team.pub`,
		Args:    cli.Args(1, 1, "where to pull from"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return cli.WithHint(errors.New("nowhere to write the bundle to"), "say where with -o FILE")
			}
			insecure, _ := cmd.Flags().GetBool("insecure-unsigned")
			data, digest, err := registry.Pull(cmd.Context(), args[0], fromEnvironment(o))
			if err != nil {
				return unreached(err)
			}
			if err := admit(args[0], data, v, insecure); err != nil {
				return err
			}
			if err := writeFile(out, data); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), digest)
			return err
		},
	}
	o = registryOptions(cmd)
	f := cmd.Flags()
	f.StringVarP(&out, "output", "o", "", "`FILE` to write the bundle to (required)")
	f.StringArrayVar(&v.keys, "key", nil, "`FILE` of a public key that is trusted, repeatable (default: "+verifyKeyEnv+")")
	f.StringVar(&v.name, "name", "", "`NAME` that the bundle must have")
	f.Int64Var(&v.minSerial, "min-serial", 0, "least serial `NUMBER` that is taken")
	f.Bool("insecure-unsigned", false, "take a bundle whoever made it")
	return cmd
}

// unreached ends a command with 2: what could not be fetched is no finding.
func unreached(err error) error {
	var e *archive.Error
	if !errors.As(err, &e) || e.Hint == "" {
		return err
	}
	return cli.WithHint(err, "%s", e.Hint)
}
