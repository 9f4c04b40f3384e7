package parse

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// Document is one YAML document of a known kind, valid against its schema. One
// of Policy and Test is set.
type Document struct {
	File   string
	Kind   string
	Policy *schemas.SandboxPolicy
	Test   *schemas.PolicyTest

	root *yaml.Node
}

// Pos returns the position of a value, such as ("spec", "network", "outbound",
// 0, "host"), or of the nearest value above it that exists.
func (d *Document) Pos(path ...any) diag.Position {
	_, value := find(d.root, path)
	return diag.Position{File: d.File, Line: value.Line, Col: value.Column}
}

// Inside returns the position of a byte offset within the text of a scalar, as
// far as its quoting lets it be known.
func (d *Document) Inside(offset int, path ...any) diag.Position {
	_, value := find(d.root, path)
	p := diag.Position{File: d.File, Line: value.Line, Col: value.Column}
	if value.Kind != yaml.ScalarNode || offset <= 0 || offset > len(value.Value) || strings.Contains(value.Value, "\n") {
		return p
	}
	before := value.Value[:offset]
	p.Col += utf8.RuneCountInString(before)
	switch {
	case value.Style&yaml.SingleQuotedStyle != 0:
		p.Col += 1 + strings.Count(before, "'")
	case value.Style&yaml.DoubleQuotedStyle != 0:
		p.Col += 1 + strings.Count(before, `\`) + strings.Count(before, `"`)
	}
	return p
}

// find walks to the deepest existing node on the path; key is the node of its
// key where it is a mapping's value.
func find(root *yaml.Node, path []any) (key, value *yaml.Node) {
	value = root
	for _, step := range path {
		k, v := child(value, step)
		if v == nil {
			break
		}
		key, value = k, v
	}
	return key, value
}

func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
			return nil, n.Content[step]
		}
	case string:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}

// document validates one document and decodes it. An empty one is nil.
func document(file string, n *yaml.Node) (*Document, []diag.Diagnostic) {
	if len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null" {
		return nil, nil
	}
	d := &Document{File: file, root: n.Content[0]}
	t := &tree{file: file}
	value := t.value(d.root, 0)
	if len(t.ds) > 0 {
		return nil, t.ds
	}
	kind, ds := d.kindOf(value)
	if ds != nil {
		return nil, ds
	}
	d.Kind = kind
	if ds := d.validate(value); len(ds) > 0 {
		return nil, ds
	}
	return d.decode(value)
}

// kindOf finds out what a document is before its schema can say what is wrong.
func (d *Document) kindOf(value any) (string, []diag.Diagnostic) {
	m, ok := value.(map[string]any)
	if !ok {
		return "", []diag.Diagnostic{diag.New("OSP1009", d.Pos(), "a document is a mapping of fields", "begin with `apiVersion: "+schemas.APIVersion+"`")}
	}
	var ds []diag.Diagnostic
	kinds := []string{schemas.KindSandboxPolicy, schemas.KindPolicyTest}
	kind, _ := m["kind"].(string)
	switch {
	case m["kind"] == nil:
		ds = append(ds, diag.New("OSP1006", d.Pos(), "the document has no kind", "add `kind: SandboxPolicy`"))
	case kind != kinds[0] && kind != kinds[1]:
		ds = append(ds, diag.New("OSP1006", d.Pos("kind"), fmt.Sprintf("unknown kind %s", show(m["kind"])), "write "+suggest(kind, kinds, "`kind: %s`")))
	}
	switch version, _ := m["apiVersion"].(string); {
	case m["apiVersion"] == nil:
		ds = append(ds, diag.New("OSP1006", d.Pos(), "the document has no apiVersion", "add `apiVersion: "+schemas.APIVersion+"`"))
	case version != schemas.APIVersion:
		ds = append(ds, diag.New("OSP1006", d.Pos("apiVersion"), fmt.Sprintf("unknown apiVersion %s", show(m["apiVersion"])), "write `apiVersion: "+schemas.APIVersion+"`"))
	}
	return kind, ds
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func (d *Document) decode(value any) (*Document, []diag.Diagnostic) {
	encoded, err := json.Marshal(value)
	if err == nil && d.Kind == schemas.KindSandboxPolicy {
		d.Policy = &schemas.SandboxPolicy{}
		err = json.Unmarshal(encoded, d.Policy)
	} else if err == nil {
		d.Test = &schemas.PolicyTest{}
		err = json.Unmarshal(encoded, d.Test)
	}
	if err != nil {
		return nil, []diag.Diagnostic{diag.New("OSP1009", d.Pos(), err.Error(), "")}
	}
	return d, nil
}
