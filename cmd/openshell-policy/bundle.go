package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/compiler/bundle"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego/archive"
)

func newBundle() *cobra.Command {
	cmd := cli.Group("bundle", "Sign, verify, move and serve bundles",
		newBundleSign(), newBundleVerify(), newBundlePush(), newBundlePull(), newBundleServe())
	cmd.Example = `  openshell-policy bundle verify bundle.tar.gz --key team.pub --name team
  openshell-policy bundle push bundle.tar.gz oci://registry.example.com/team/policies:v7
  openshell-policy bundle serve bundle.tar.gz --listen 127.0.0.1:8282`
	return cmd
}

type verifyOptions struct {
	file      string
	keys      []string
	name      string
	minSerial int64
	stdout    io.Writer
}

func newBundleVerify() *cobra.Command {
	o := &verifyOptions{}
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check a bundle as a gateway does before it takes it",
		Long: `Check a bundle as a gateway does before it takes it: that it is whole, that a
trusted key signed every file of it, its name, its serial and that it has not expired.

Exit status: 0 taken, 1 refused (a code says why), 2 could not run.`,
		Example: `  openshell-policy bundle verify bundle.tar.gz --key team.pub
  openshell-policy bundle verify bundle.tar.gz --key old.pub --key new.pub --name team --min-serial 7`,
		Args: cli.Args(1, 1, "a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file, o.stdout = args[0], cmd.OutOrStdout()
			return verifyBundle(o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.keys, "key", nil, "`FILE` of a public key that is trusted, repeatable (default: "+verifyKeyEnv+")")
	f.StringVar(&o.name, "name", "", "`NAME` that the bundle must have")
	f.Int64Var(&o.minSerial, "min-serial", 0, "least serial `NUMBER` that is taken")
	return cmd
}

func verifyBundle(o *verifyOptions) error {
	trusted, err := loadPublic(o.keys)
	if err != nil {
		return err
	}
	a, _, err := readArchive(o.file)
	if err != nil {
		return err
	}
	by, err := a.Admit(archive.Trust{Keys: trusted, Name: o.name, MinSerial: o.minSerial}, time.Now())
	if err != nil {
		return refused(o.file, err)
	}
	m := a.Manifest
	_, err = fmt.Fprintf(o.stdout, "%s: signed by key %s, name %q, serial %d, revision %.12s\n", o.file, by, m.Metadata.Name, m.Metadata.Serial, m.Revision)
	return err
}

// readArchive takes a bundle file apart.
func readArchive(file string) (*archive.Archive, []byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, archive.MaxPacked+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %q: %w", file, err)
	}
	a, err := archive.Read(data)
	if err != nil {
		return nil, nil, refused(file, err)
	}
	return a, data, nil
}

// refused is the end of a command because of a bundle: status 1 and the hint.
func refused(what string, err error) error {
	var e *archive.Error
	if !errors.As(err, &e) {
		return err
	}
	named := fmt.Errorf("%s: %w", what, err)
	if e.Hint == "" {
		return cli.WithStatus(cli.ExitFindings, cli.WithHint(named, "openshell-policy explain %s says more", e.Code))
	}
	return cli.WithStatus(cli.ExitFindings, cli.WithHint(named, "%s", e.Hint))
}

func newBundleSign() *cobra.Command {
	var key, out string
	cmd := &cobra.Command{
		Use:   "sign FILE",
		Short: "Sign a bundle, or sign it with another key",
		Long: `Sign a bundle with OPA's .signatures.json. A signature that it has is replaced;
its other files stay as they are, and so does its revision.`,
		Example: `  openshell-policy bundle sign bundle.tar.gz --key team.key -o signed.tar.gz
  openshell-policy bundle sign bundle.tar.gz --key team.key -o bundle.tar.gz`,
		Args: cli.Args(1, 1, "a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return signBundle(args[0], key, out, cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "`FILE` of the private key (default: "+signingKeyEnv+")")
	cmd.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write the signed bundle to (required)")
	return cmd
}

func signBundle(file, keyFile, out string, stderr io.Writer) error {
	if out == "" {
		return cli.WithHint(errors.New("nowhere to write the signed bundle to"), "say where with -o FILE; it may be %s itself", file)
	}
	key, err := loadPrivate(keyFile, stderr)
	if err != nil {
		return err
	}
	_, data, err := readArchive(file)
	if err != nil {
		return err
	}
	signed, err := bundle.Sign(data, key)
	if err != nil {
		return err
	}
	if err := writeFile(out, signed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stderr, "%s: signed by key %s\n", out, key.ID)
	return err
}
