package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
)

type inspectOptions struct {
	file   string
	keys   []string
	rules  bool
	stdout io.Writer
	json   bool
}

func newInspect() *cobra.Command {
	o := &inspectOptions{}
	var format *cli.Output
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a bundle holds",
		Long: `Show what a bundle holds: its revision, name, serial and expiry, whether it is signed
and by whom, its policies, the file and line that each rule came from (with --rules),
and its extensions. The bundle is compiled as a gateway would, so what cannot be put in
force is refused with a code.

A signature is verified where --key or ` + verifyKeyEnv + ` names a key; without one it is
only shown. Exit status: 0 shown, 1 refused or not signed by the key, 2 could not run.`,
		Example: `  openshell-policy inspect bundle.tar.gz
  openshell-policy inspect bundle.tar.gz --rules --key team.pub
  openshell-policy inspect bundle.tar.gz -o json | jq '.policies[].name'`,
		Args: cli.Args(1, 1, "a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file, o.stdout, o.json = args[0], cmd.OutOrStdout(), format.String() == "json"
			return inspect(o)
		},
	}
	format = cli.AddOutput(cmd, "text", "json")
	cmd.Flags().StringArrayVar(&o.keys, "key", nil, "`FILE` of a public key to verify the signature with, repeatable")
	cmd.Flags().BoolVar(&o.rules, "rules", false, "list the rules as well (JSON always does)")
	return cmd
}

// inspected is the JSON form.
type inspected struct {
	File       string             `json:"file"`
	Digest     string             `json:"digest"` // SHA-256 of the file
	Bytes      int                `json:"bytes"`
	Revision   string             `json:"revision"`
	Roots      []string           `json:"roots"`
	Name       string             `json:"name"`
	Serial     int64              `json:"serial"`
	Expires    *time.Time         `json:"expires"`
	Compiler   string             `json:"compiler"`
	SourceMap  string             `json:"source_map"` // its SHA-256
	Signature  inspectedSignature `json:"signature"`
	Policies   []inspectedPolicy  `json:"policies"`
	Extensions []string           `json:"extensions"`
	Modules    []inspectedModule  `json:"modules"`
	Sources    []string           `json:"sources"` // files whose text is inside
}

type inspectedSignature struct {
	State     string `json:"state"` // unsigned, unverified or verified
	KeyID     string `json:"key_id,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
}

type inspectedPolicy struct {
	Name  string          `json:"name"`
	File  string          `json:"file"`
	Line  int             `json:"line"`
	Mode  schemas.Mode    `json:"mode"`
	Rules []inspectedRule `json:"rules"`
}

type inspectedRule struct {
	ID     string       `json:"id"`
	Effect string       `json:"effect"`
	Mode   schemas.Mode `json:"mode"`
	File   string       `json:"file,omitempty"`
	Line   int          `json:"line,omitempty"`
	Host   string       `json:"host,omitempty"`
}

type inspectedModule struct {
	Path   string `json:"path"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func inspect(o *inspectOptions) error {
	a, data, err := readArchive(o.file)
	if err != nil {
		return err
	}
	out := describe(o.file, a, data)
	if err := out.verify(o, a); err != nil {
		return err
	}
	g, err := rego.New(rego.Options{}).LoadArchive(a)
	if err != nil {
		return refused(o.file, err)
	}
	out.addPolicies(g)
	if o.json {
		enc := json.NewEncoder(o.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	return out.print(o)
}

func describe(file string, a *archive.Archive, data []byte) *inspected {
	m := a.Manifest
	out := &inspected{
		File: file, Digest: digestOf(data), Bytes: len(data), Revision: m.Revision, Roots: *m.Roots,
		Name: m.Metadata.Name, Serial: m.Metadata.Serial, Compiler: m.Metadata.Compiler, SourceMap: m.Metadata.SourceMap,
		Extensions: append([]string{}, m.Metadata.Extensions...), Policies: []inspectedPolicy{}, Modules: []inspectedModule{}, Sources: []string{},
	}
	if !m.Metadata.Expires.IsZero() {
		out.Expires = &m.Metadata.Expires
	}
	for _, f := range a.Files {
		out.Modules = append(out.Modules, inspectedModule{f.Name, len(f.Data), digestOf(f.Data)})
	}
	if sources, err := a.Sources(); err == nil {
		for _, s := range sources {
			out.Sources = append(out.Sources, s.Name)
		}
	}
	return out
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// verify fills in the state of the signature. Where a key is known the bundle must
// be signed by it.
func (out *inspected) verify(o *inspectOptions, a *archive.Archive) error {
	s := a.Signature()
	out.Signature = inspectedSignature{State: "unsigned"}
	if s.Present {
		out.Signature = inspectedSignature{State: "unverified", KeyID: s.KeyID, Algorithm: s.Algorithm}
	}
	trusted, err := loadPublic(o.keys)
	if err != nil && (len(o.keys) > 0 || !errors.Is(err, errNoKey)) {
		return err
	}
	if len(trusted) == 0 {
		return nil
	}
	key, err := a.Verify(trusted)
	if err != nil {
		return refused(o.file, err)
	}
	out.Signature = inspectedSignature{State: "verified", KeyID: key.ID, Algorithm: key.Algorithm}
	return nil
}

func (out *inspected) addPolicies(g *rego.Generation) {
	for _, p := range g.Policies() {
		policy := inspectedPolicy{Name: p.Name, File: p.File, Line: p.Line, Mode: p.Mode, Rules: []inspectedRule{}}
		for _, r := range g.Rules(p.Name) {
			policy.Rules = append(policy.Rules, inspectedRule{r.ID, r.Effect, r.Mode, r.File, r.Line, r.Host})
		}
		out.Policies = append(out.Policies, policy)
	}
}
