package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"
)

// Output is the value of -o.
type Output struct {
	format string
	known  []string
}

// NewOutput returns a choice of formats; the first is the default.
func NewOutput(formats ...string) *Output { return &Output{format: formats[0], known: formats} }

// AddOutput gives a command the flag -o; the first format is the default.
func AddOutput(cmd *cobra.Command, formats ...string) *Output {
	o := NewOutput(formats...)
	cmd.Flags().VarP(o, "output", "o", "output format: "+strings.Join(formats, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return o
}

// String returns the format.
func (o *Output) String() string { return o.format }

// Type names the value in help texts.
func (o *Output) Type() string { return "FORMAT" }

// Set takes a format that the command knows.
func (o *Output) Set(s string) error {
	if !slices.Contains(o.known, s) {
		return fmt.Errorf("not one of %s", strings.Join(o.known, ", "))
	}
	o.format = s
	return nil
}

// WriteJSON prints a value for programs, without HTML escapes.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// WriteYAML prints a value as YAML with the names and the order that its JSON
// has.
func WriteYAML(w io.Writer, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var node yaml.Node
	if err := yaml.Unmarshal(data, &node); err != nil { // JSON is YAML
		return err
	}
	block(&node)
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return err
	}
	return enc.Close()
}

// block takes away the JSON look.
func block(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle | yaml.DoubleQuotedStyle
	for _, c := range n.Content {
		block(c)
	}
}

// Table prints rows in columns, two spaces or more apart.
func Table(w io.Writer, header []string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}
