package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/scaffold"
	"github.com/openshell-policy/openshell/schemas"
)

type initOptions struct {
	choice scaffold.Choice
	dir    string
	schema string
	force  bool
	stdin  io.Reader
	output
}

func newInit() *cobra.Command {
	o := &initOptions{}
	cmd := &cobra.Command{
		Use:   "init [NAME]",
		Short: "Begin a policy of your own, with a test",
		Long: `Begin a policy of your own: NAME.yaml and NAME_test.yaml, built on ready-made policies
for an agent, languages, registries and services. The test passes as written.

Editors check both against JSON Schemas, which are written beside them; --schema names
another place, or none. On a terminal, and without a choice, it asks what the policy is
for; elsewhere it asks nothing. A file that exists is left alone unless --force is given.`,
		Example: `  openshell-policy init
  openshell-policy init team-a --agent claude --language node
  openshell-policy init ci --preset github-read --registry npm --registry pypi --dir policies`,
		Args: cli.Args(0, 1, "at most one name of a policy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.choice.Name = args[0]
			}
			o.stdin, o.output = cmd.InOrStdin(), output{cmd.OutOrStdout(), cmd.ErrOrStderr(), false}
			return initialise(cmd.Context(), o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.choice.Presets, "preset", nil, "ready-made `POLICY` to build on; may be repeated (default github-read)")
	f.StringVar(&o.choice.Agent, "agent", "", "the `AGENT` that will run under it: "+strings.Join(scaffold.Agents(), ", "))
	f.StringArrayVar(&o.choice.Languages, "language", nil, "a `LANGUAGE` whose packages are read: "+strings.Join(scaffold.Languages(), ", "))
	f.StringArrayVar(&o.choice.Registries, "registry", nil, "a package `REGISTRY` that is read: "+strings.Join(scaffold.Registries(), ", "))
	f.StringVar(&o.dir, "dir", ".", "`FOLDER` to write to")
	f.StringVar(&o.schema, "schema", "local", "`URL` or folder of the JSON Schemas, for editors; local writes them beside the policy, none leaves them out")
	f.BoolVar(&o.force, "force", false, "overwrite files that exist")
	for flag, words := range map[string][]string{
		"preset": scaffold.Presets(), "agent": scaffold.Agents(), "language": scaffold.Languages(), "registry": scaffold.Registries(),
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// The files of the schemas, for editors.
const (
	policySchema = "sandboxpolicy.schema.json"
	testSchema   = "policytest.schema.json"
)

func initialise(ctx context.Context, o *initOptions) error {
	if o.undecided() && cli.IsTerminal(o.stderr) && cli.IsTerminal(o.stdin) {
		o.ask()
	}
	if o.choice.Name == "" {
		o.choice.Name = "my-policy"
	}
	if err := o.checkName(); err != nil {
		return err
	}
	switch o.schema {
	case "none", "":
	case "local":
		o.choice.Schema, o.choice.TestSchema = policySchema, testSchema
	default:
		place := strings.TrimSuffix(o.schema, "/") + "/"
		o.choice.Schema, o.choice.TestSchema = place+policySchema, place+testSchema
	}
	made, err := scaffold.Make(ctx, o.choice)
	var unknown *scaffold.UnknownError
	if errors.As(err, &unknown) {
		return cli.WithHint(err, "there are %s", strings.Join(unknown.Known, ", "))
	}
	if err != nil {
		return err
	}
	files := []newFile{{o.choice.Name + ".yaml", made.Policy, false}, {o.choice.Name + "_test.yaml", made.Test, false}}
	if o.schema == "local" {
		for _, s := range []struct{ file, kind string }{{policySchema, schemas.KindSandboxPolicy}, {testSchema, schemas.KindPolicyTest}} {
			text, err := schemas.SchemaDraft7(s.kind)
			if err != nil {
				return err
			}
			files = append(files, newFile{s.file, text, true})
		}
	}
	return o.write(files, made.Bases)
}

// newFile is a file to write; one that is shared may be there already.
type newFile struct {
	name   string
	data   []byte
	shared bool
}

func (o *initOptions) write(files []newFile, bases []string) error {
	var taken []string
	for _, f := range files {
		old, err := os.ReadFile(filepath.Join(o.dir, f.name))
		switch {
		case errors.Is(err, os.ErrNotExist), err == nil && f.shared && bytes.Equal(old, f.data):
		case err != nil:
			return err
		default:
			taken = append(taken, filepath.Join(o.dir, f.name))
		}
	}
	if len(taken) > 0 && !o.force {
		return cli.WithHint(fmt.Errorf("%s exists", strings.Join(taken, ", ")), "give another name, or --force to overwrite")
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(o.dir, f.name)
		if err := writeFile(path, f.data); err != nil {
			return err
		}
		fmt.Fprintln(o.stdout, path)
	}
	test := filepath.Join(o.dir, o.choice.Name+"_test.yaml")
	_, err := fmt.Fprintf(o.stderr, "built on %s; next: openshell-policy test %s --coverage\n", strings.Join(bases, ", "), test)
	return err
}

// checkName refuses a name that no policy of one's own may have.
func (o *initOptions) checkName() error {
	name := o.choice.Name
	for _, taken := range append(scaffold.Presets(), agentPolicies()...) {
		if name == taken {
			return cli.WithHint(fmt.Errorf("%q is a ready-made policy", name), "give yours another name, and build on it with --preset %s", name)
		}
	}
	if !nameLike(name) {
		return cli.WithHint(fmt.Errorf("%q is no name of a policy", name), "use lower-case letters, digits and hyphens, as in team-a; --dir says where the file goes")
	}
	return nil
}

func agentPolicies() []string {
	var out []string
	for _, a := range scaffold.Agents() {
		out = append(out, "agent-"+a)
	}
	return out
}

// nameLike tells a name that the schema takes and that is a file's name too.
func nameLike(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' || strings.HasSuffix(s, "_test") {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (o *initOptions) undecided() bool {
	c := o.choice
	return c.Name == "" && c.Agent == "" && len(c.Presets)+len(c.Languages)+len(c.Registries) == 0
}

// ask asks what the policy is for; an empty line takes the default.
func (o *initOptions) ask() {
	in := bufio.NewScanner(o.stdin)
	question := func(text string) string {
		fmt.Fprintf(o.stderr, "%s: ", text)
		if !in.Scan() {
			return ""
		}
		return strings.TrimSpace(in.Text())
	}
	o.choice.Name = question("name of the policy (my-policy)")
	o.choice.Agent = question("agent: " + strings.Join(scaffold.Agents(), ", ") + " (none)")
	o.choice.Languages = strings.Fields(question("languages: " + strings.Join(scaffold.Languages(), ", ") + " (none)"))
}
