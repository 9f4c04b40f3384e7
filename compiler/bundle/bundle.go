// Package bundle writes plans as an OPA bundle that any OPA reads: the Rego
// library, the generated modules of each policy, and data.openshell with the
// index (the source map), the code table and the tables the library decides by.
// The same input gives the same bytes.
package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	opabundle "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/regogen"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// Format is the version of the bundle's data and generated sets; an engine
// refuses another one.
const Format = 1

// Options describe a bundle beside its policies.
type Options struct {
	// Library is the Rego library by file name, package rego's Library.
	Library map[string]string
	// Revision defaults to the SHA-256 of everything that decides.
	Revision string
	Name     string
	Serial   int64
	Expires  time.Time // zero: never
	Compiler string    // version of the compiler, for the manifest
	// Modules are the owner's extensions and mask rules.
	Modules []Module
	// Sources are kept in the manifest, and decide nothing.
	Sources []Source
	// Generate lowers a plan; nil is regogen.Generate.
	Generate func(*plan.Policy) *regogen.Generated
}

// Source is the text of a file that policies were compiled from.
type Source struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// Build returns the bundle as a gzipped tar, and its revision.
func Build(policies []*plan.Policy, opts Options) (data []byte, revision string, err error) {
	if len(opts.Library) == 0 {
		return nil, "", fmt.Errorf("bundle without the Rego library")
	}
	b, digest, err := assemble(policies, opts)
	if err != nil {
		return nil, "", err
	}
	var buf bytes.Buffer
	if err := opabundle.NewWriter(&buf).DisableFormat(true).Write(b); err != nil {
		return nil, "", fmt.Errorf("write bundle: %w", err)
	}
	_ = digest
	return buf.Bytes(), b.Manifest.Revision, nil
}

func assemble(policies []*plan.Policy, opts Options) (opabundle.Bundle, string, error) {
	sum := sha256.New()
	var modules []opabundle.ModuleFile
	add := func(path, text string) {
		fmt.Fprintf(sum, "%s %d\n%s", path, len(text), text)
		modules = append(modules, opabundle.ModuleFile{URL: path, Path: path, Raw: []byte(text)})
	}
	for _, name := range slices.Sorted(maps.Keys(opts.Library)) {
		add("/openshell/lib/"+name, opts.Library[name])
	}
	sorted := slices.SortedFunc(slices.Values(policies), func(a, b *plan.Policy) int { return compare(a.Name, b.Name) })
	generate := opts.Generate
	if generate == nil {
		generate = regogen.Generate
	}
	extensions := map[string]schemas.Source{}
	for _, m := range opts.Modules {
		add(m.Path, string(m.Text))
		if m.Extension != "" {
			extensions[m.Extension] = m.Source
		}
	}
	index := map[string]json.RawMessage{}
	names := make([]string, 0, len(sorted))
	for _, p := range sorted {
		g := generate(p)
		for _, m := range g.Modules {
			add("/openshell/policies/"+p.Name+"/"+m.Surface+".rego", m.Text)
		}
		index[p.Name] = g.Encoded
		names = append(names, p.Name)
	}
	content := Data{Codes: templates(), Hints: tables.Hints(), Index: index, Extensions: extensions, Tables: Tables{
		Carriers: tables.Carriers(), Helpers: tables.Helpers(), Loaders: tables.Loaders(),
	}}
	encoded, err := json.Marshal(content)
	if err != nil {
		return opabundle.Bundle{}, "", fmt.Errorf("encode bundle data: %w", err)
	}
	sum.Write(encoded)
	digest := hex.EncodeToString(sum.Sum(nil))
	content.Revision = opts.Revision
	if content.Revision == "" {
		content.Revision = digest
	}
	b := opabundle.Bundle{Modules: modules, Data: map[string]any{"openshell": content}}
	b.Manifest = manifest(content.Revision, names, opts)
	if b.Manifest.Metadata["source_map"], err = indexDigest(index); err != nil {
		return b, "", err
	}
	if len(extensions) > 0 {
		b.Manifest.Metadata["extensions"] = slices.Sorted(maps.Keys(extensions))
	}
	if len(opts.Sources) > 0 {
		b.Manifest.Metadata["sources"], err = packSources(opts.Sources)
	}
	return b, digest, err
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func manifest(revision string, names []string, opts Options) opabundle.Manifest {
	version := 1
	metadata := map[string]any{
		"name":     opts.Name,
		"serial":   opts.Serial,
		"format":   Format,
		"policies": names,
		"compiler": opts.Compiler,
	}
	if !opts.Expires.IsZero() {
		metadata["expires"] = opts.Expires.UTC().Format(time.RFC3339)
	}
	roots := []string{"openshell", "system/log"}
	return opabundle.Manifest{Revision: revision, Roots: &roots, RegoVersion: &version, Metadata: metadata}
}

func indexDigest(index map[string]json.RawMessage) (string, error) {
	encoded, err := json.Marshal(index)
	if err != nil {
		return "", fmt.Errorf("encode source map: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}

// packSources is the list as JSON, gzipped, in base64.
func packSources(sources []Source) (string, error) {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	if err := errors.Join(json.NewEncoder(zip).Encode(sources), zip.Close()); err != nil {
		return "", fmt.Errorf("pack sources: %w", err)
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

// Data is data.openshell.
type Data struct {
	Revision string                     `json:"revision"`
	Codes    map[schemas.Code]string    `json:"codes"` // message templates
	Hints    []tables.Hint              `json:"hints"`
	Tables   Tables                     `json:"tables"`
	Index    map[string]json.RawMessage `json:"index"` // regogen.Index by policy
	// Extensions says where the extensions come from, by name.
	Extensions map[string]schemas.Source `json:"extensions_index"`
}

// Tables are the tables that the library decides by.
type Tables struct {
	Carriers []string        `json:"carriers"`
	Helpers  []tables.Helper `json:"helpers"`
	Loaders  []string        `json:"loaders"`
}

func templates() map[schemas.Code]string {
	out := map[schemas.Code]string{}
	for _, c := range schemas.Codes() {
		out[c.Code] = c.Template
	}
	return out
}
