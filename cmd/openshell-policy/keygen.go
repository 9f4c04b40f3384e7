package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas/keys"
)

func newKeygen() *cobra.Command {
	algorithm := cli.NewOutput("rsa", "ed25519")
	cmd := &cobra.Command{
		Use:   "keygen NAME",
		Short: "Make a key pair to sign bundles with",
		Long: `Make a key pair to sign bundles with: NAME.key, which only you can read, and
NAME.pub, which gateways and whoever verifies need. Nothing is overwritten.

Signatures of both kinds of key are the same each time, so that equal policies give
equal bundles. rsa (3072 bits) is OPA's RS256, which every OPA verifies; ed25519 (EdDSA)
is smaller and faster, but an OPA server's configuration does not take such keys yet.`,
		Example: `  openshell-policy keygen team
  openshell-policy compile policies/ -o bundle.tar.gz --sign --key team.key
  openshell-policy bundle verify bundle.tar.gz --key team.pub`,
		Args: cli.Args(1, 1, "a name for the two files"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return keygen(args[0], algorithm.String(), cmd.OutOrStdout())
		},
	}
	cmd.Flags().Var(algorithm, "algorithm", "`KIND` of key: rsa or ed25519")
	return cmd
}

func keygen(name, algorithm string, stdout io.Writer) error {
	key, err := generate(algorithm)
	if err != nil {
		return err
	}
	described, err := keys.FromPrivate(key)
	if err != nil {
		return err
	}
	if err := create(name+".key", described.PEM, 0o600); err != nil {
		return err
	}
	if err := create(name+".pub", described.Public.PEM, 0o644); err != nil {
		return errors.Join(err, os.Remove(name+".key"))
	}
	_, err = fmt.Fprintf(stdout, "%s.key and %s.pub: %s key %s\n", name, name, described.Algorithm, described.ID)
	return err
}

func generate(algorithm string) (any, error) {
	if algorithm == "rsa" {
		return rsa.GenerateKey(rand.Reader, 3072)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// create writes a new file, with its mode from the beginning.
func create(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return cli.WithHint(fmt.Errorf("%s exists, and a key is not overwritten", path), "choose another name, or remove both files of the pair yourself")
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
