// Package variants decides by many variants of the policies of one bundle. The
// bundle's library is compiled once for all of them and is what decides, by
// data.openshell.decision, so that the answers are those of any OPA.
package variants

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
)

// Base is a bundle taken apart. It is safe for concurrent use.
type Base struct {
	shared   map[string]*ast.Module            // what no policy owns, by path
	policies map[string]map[string]*ast.Module // by policy and surface
	data     map[string]any                    // data.openshell
}

// Open reads a bundle that the compiler of this program wrote.
func Open(raw []byte) (*Base, error) {
	loader := bundle.NewTarballLoaderWithBaseURL(bytes.NewReader(raw), "")
	b, err := bundle.NewCustomReader(loader).WithSkipBundleVerification(true).Read()
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	out := &Base{shared: map[string]*ast.Module{}, policies: map[string]map[string]*ast.Module{}}
	if err := recode(b.Data["openshell"], &out.data); err != nil {
		return nil, fmt.Errorf("read bundle data: %w", err)
	}
	for _, f := range b.Modules {
		path := strings.TrimPrefix(f.Path, "/")
		rest, owned := strings.CutPrefix(path, "openshell/policies/")
		name, file, ok := strings.Cut(rest, "/")
		if !owned || !ok {
			out.shared[path] = f.Parsed
			continue
		}
		if out.policies[name] == nil {
			out.policies[name] = map[string]*ast.Module{}
		}
		out.policies[name][strings.TrimSuffix(file, ".rego")] = f.Parsed
	}
	if len(out.shared) == 0 || len(out.policies) == 0 {
		return nil, fmt.Errorf("read bundle: %d modules of the library, %d policies", len(out.shared), len(out.policies))
	}
	return out, nil
}

// WithoutExtensions is the bundle without its owner's extensions, which deny by
// what they like: to ask what single rules do.
func (b *Base) WithoutExtensions() *Base {
	out := &Base{shared: map[string]*ast.Module{}, policies: b.policies, data: maps.Clone(b.data)}
	extension := ast.MustParseRef("data.openshell.extension")
	for path, m := range b.shared {
		if !m.Package.Path.HasPrefix(extension) {
			out.shared[path] = m
		}
	}
	out.data["extensions_index"] = map[string]any{}
	return out
}

func recode(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// Variant is a policy that replaces some surfaces of one in the bundle.
type Variant struct {
	// Name is that of no policy in the bundle; or, for the only variant of a set
	// and without Originals, of the policy itself, for extensions that ask for it.
	Name string
	Of   string // the policy it is a variant of
	// Modules are the generated modules by surface. What decides on a surface that
	// is left out may not be asked.
	Modules map[string]string
	// Originals are surfaces of which the variant has the rules of the original,
	// under their old ordinals: with an Index that counts otherwise, only whether
	// they match may be asked.
	Originals []string
	Index     any // data.openshell.index of the variant
}

// modules returns what decides for the variants.
func (b *Base) modules(vs []Variant) (map[string]*ast.Module, error) {
	out := maps.Clone(b.shared)
	for _, v := range vs {
		own, known := b.policies[v.Of]
		_, taken := b.policies[v.Name]
		if taken && v.Name == v.Of && len(vs) == 1 && len(v.Originals) == 0 {
			taken = false
		}
		if taken || !known {
			return nil, fmt.Errorf("variant %q of %q: the bundle holds %s", v.Name, v.Of, strings.Join(slices.Sorted(maps.Keys(b.policies)), ", "))
		}
		path := "openshell/policies/" + v.Name + "/"
		for surface, text := range v.Modules {
			m, err := ast.ParseModuleWithOpts(path+surface, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
			if err != nil {
				return nil, fmt.Errorf("variant %q: %w", v.Name, err)
			}
			out[path+surface] = m
		}
		for _, surface := range v.Originals {
			original := own[surface]
			if original == nil {
				return nil, fmt.Errorf("variant %q: policy %q has no module %q", v.Name, v.Of, surface)
			}
			m, err := alias(v, surface, original)
			if err != nil {
				return nil, err
			}
			out[path+surface] = m
			out["openshell/policies/"+v.Of+"/"+surface] = original
		}
	}
	return out, nil
}

// alias is a module whose sets are those of the original.
func alias(v Variant, surface string, original *ast.Module) (*ast.Module, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "package openshell.policies[%q].%s\n", v.Name, surface)
	seen := map[string]bool{}
	for _, r := range original.Rules {
		if name := string(r.Head.Name); r.Head.Key != nil && !seen[name] {
			seen[name] = true
			fmt.Fprintf(&b, "\n%s := data.openshell.policies[%q].%s.%s\n", name, v.Of, surface, name)
		}
	}
	m, err := ast.ParseModuleWithOpts(surface, b.String(), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return nil, fmt.Errorf("variant %q: %w", v.Name, err)
	}
	return m, nil
}
