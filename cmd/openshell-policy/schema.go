package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/schemas"
)

type schemaOptions struct {
	name   string
	draft  string
	stdout io.Writer
}

func newSchema() *cobra.Command {
	o := &schemaOptions{}
	cmd := &cobra.Command{
		Use:   "schema [NAME]",
		Short: "Print the JSON Schema of a document",
		Long: "Print the JSON Schema of a document; without a name, list the documents.\n\n" +
			"Editors want --draft 7. For the YAML language server begin a policy with\n" +
			"  # yaml-language-server: $schema=sandboxpolicy.schema.json",
		Example: `  openshell-policy schema SandboxPolicy
  openshell-policy schema SandboxPolicy --draft 7 > sandboxpolicy.schema.json`,
		Args:      cli.Args(0, 1, "at most one name of a document"),
		ValidArgs: schemas.SchemaNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.stdout = cmd.OutOrStdout()
			if len(args) == 1 {
				o.name = args[0]
			}
			return printSchema(o)
		},
	}
	cmd.Flags().StringVar(&o.draft, "draft", "2020-12", "`DRAFT` of JSON Schema: 2020-12 or 7")
	return cmd
}

func printSchema(o *schemaOptions) error {
	if o.name == "" {
		_, err := fmt.Fprintln(o.stdout, strings.Join(schemas.SchemaNames(), "\n"))
		return err
	}
	for _, known := range schemas.SchemaNames() {
		if strings.EqualFold(o.name, known) {
			o.name = known
		}
	}
	render := schemas.SchemaJSON
	switch o.draft {
	case "2020-12":
	case "7", "07", "draft-07":
		render = schemas.SchemaDraft7
	default:
		return cli.WithHint(fmt.Errorf("no draft %q", o.draft), "write --draft 2020-12 or --draft 7")
	}
	text, err := render(o.name)
	if err != nil {
		return err
	}
	_, err = o.stdout.Write(text)
	return err
}
