package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
)

// policySide is one side of a comparison.
type policySide struct {
	label  string
	name   string // the one policy that is meant; "" all
	result *compiler.Result
	// sources are what the result was compiled from.
	sources []compiler.Source
	bundle  []byte // what decides; the result's own unless a bundle was given
	// extensions are the Rego modules that may deny more, with their names.
	extensions string
}

// sides reads both sides.
func (o *diffOptions) sides(ctx context.Context) (before, after *policySide, err error) {
	if o.against != "" {
		sources, err := gitSources(ctx, o.against, o.args)
		if err != nil {
			return nil, nil, err
		}
		now, err := policyset.Read(existing(o.args)...)
		if err != nil {
			return nil, nil, err
		}
		return compiledSide(o.against, "", sources), compiledSide("now", "", now), nil
	}
	if len(o.args) != 2 {
		return nil, nil, cli.WithHint(fmt.Errorf("diff takes two policies, and got %d", len(o.args)), "openshell-policy diff BEFORE AFTER, or --against REVISION with the paths that changed")
	}
	if before, err = readSide(o.args[0]); err != nil {
		return nil, nil, err
	}
	after, err = readSide(o.args[1])
	return before, after, err
}

// existing leaves out paths that the change removed.
func existing(paths []string) []string {
	var out []string
	for _, p := range paths {
		if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
			out = append(out, p)
		}
	}
	return out
}

func readSide(ref string) (*policySide, error) {
	if strings.HasSuffix(ref, ".tar.gz") || strings.HasSuffix(ref, ".tgz") {
		return bundleSide(ref)
	}
	sources, name, err := policyset.Pick(ref)
	if err != nil {
		return nil, hinted(err)
	}
	s := compiledSide(ref, name, sources)
	if s.result.Bundle == nil {
		return s, nil
	}
	if name != "" {
		if _, err := policyset.Choose(s.result, name); err != nil {
			return nil, hinted(err)
		}
	} else if len(s.result.Policies) == 0 {
		return nil, cli.WithHint(fmt.Errorf("no policy in %q", ref), "a policy is a document of kind SandboxPolicy")
	}
	return s, nil
}

func compiledSide(label, name string, sources []compiler.Source) *policySide {
	r := policyset.Compile(sources, compiler.Options{Compiler: cli.Build().Version})
	side := &policySide{label: label, name: name, result: r, sources: sources, bundle: r.Bundle}
	if slices.ContainsFunc(sources, func(s compiler.Source) bool { return policyset.IsModule(s.Name) }) && r.Bundle != nil {
		if a, err := archive.Read(r.Bundle); err == nil { // written a moment ago
			side.extensions = extensionsIn(a)
		}
	}
	return side
}

// bundleSide takes a bundle: its sources are planned, its Rego decides. Both must
// be of one piece, or a bundle could show sources that are not what it does.
func bundleSide(file string) (*policySide, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	a, err := archive.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	kept, err := a.Sources()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(kept) == 0 {
		return nil, cli.WithHint(fmt.Errorf("%s holds no sources, which a comparison needs", file), "compile it without --no-sources, or compare the policy files")
	}
	sources := make([]compiler.Source, len(kept))
	for i, s := range kept {
		sources[i] = compiler.Source{Name: s.Name, Data: s.Data}
	}
	m := &a.Manifest
	r := policyset.Compile(sources, compiler.Options{
		Revision: m.Revision, Name: m.Metadata.Name, Serial: m.Metadata.Serial, Expires: m.Metadata.Expires, Compiler: m.Metadata.Compiler,
	})
	if r.Bundle != nil {
		if err := onePiece(file, a, r.Bundle); err != nil {
			return nil, err
		}
	}
	return &policySide{label: file, result: r, sources: sources, bundle: data, extensions: extensionsIn(a)}, nil
}

// onePiece checks that a bundle decides by what its sources compile to, extensions
// and mask rules aside, which are no sources.
func onePiece(file string, a *archive.Archive, compiled []byte) error {
	again, err := archive.Read(compiled)
	if err != nil {
		return err
	}
	fresh := map[string][]byte{}
	for _, f := range again.Files {
		fresh[f.Name] = decisive(f)
	}
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "openshell/extensions/") || strings.HasPrefix(f.Name, "openshell/mask/") {
			continue
		}
		if want, ok := fresh[f.Name]; !ok || !bytes.Equal(want, decisive(f)) {
			return cli.WithHint(fmt.Errorf("%s: %s is not what the sources in the bundle compile to", file, f.Name), "another version of openshell-policy compiled it, or somebody changed it; compile the policies again")
		}
		delete(fresh, f.Name)
	}
	for name := range fresh {
		return fmt.Errorf("%s lacks %s, which the sources in the bundle compile to", file, name)
	}
	return nil
}

// decisive is the text of a bundle's file; of its data, less where the extensions
// came from.
func decisive(f archive.File) []byte {
	if f.Name != "data.json" {
		return f.Data
	}
	var data map[string]map[string]json.RawMessage
	if err := json.Unmarshal(f.Data, &data); err != nil || data["openshell"] == nil {
		return f.Data
	}
	delete(data["openshell"], "extensions_index")
	out, err := json.Marshal(data)
	if err != nil {
		return f.Data
	}
	return out
}

// extensionsIn joins the texts of a bundle's extensions.
func extensionsIn(a *archive.Archive) string {
	var out strings.Builder
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "openshell/extensions/") {
			fmt.Fprintf(&out, "%s %d\n%s", path.Base(f.Name), len(f.Data), f.Data)
		}
	}
	return out.String()
}

// policies are those that are compared.
func (s *policySide) policies() map[string]*plan.Policy {
	out := map[string]*plan.Policy{}
	for _, p := range s.result.Policies {
		if s.name == "" || s.name == p.Name {
			out[p.Name] = p
		}
	}
	return out
}

func (s *policySide) load() (analysis.Evaluator, error) {
	g, err := rego.New(rego.Options{CacheSize: -1, Lazy: true}).Load(s.bundle)
	if err != nil {
		return analysis.Evaluator{}, fmt.Errorf("load %s: %w", s.label, err)
	}
	return analysis.Evaluator{Generation: g}, nil
}
