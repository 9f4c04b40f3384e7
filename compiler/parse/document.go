package parse

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// Document is one YAML document of a known kind, valid against its schema but for
// the grammar of patterns. One of Policy, Test and Invariants is set.
type Document struct {
	File   string
	Kind   string
	Policy *schemas.SandboxPolicy
	Test   *schemas.PolicyTest

	Invariants *schemas.PolicyInvariants

	root    *yaml.Node
	text    []byte
	src     *source
	partial bool
}

// Partial tells whether the document breaks its schema and holds only what of it
// does not; see Lenient.
func (d *Document) Partial() bool { return d.partial }

// Text returns the lines of the document as they stand in the file.
func (d *Document) Text() []byte { return d.text }

// Pos returns the position of a value, such as ("spec", "network", "outbound",
// 0, "host"), or of the nearest value above it that exists.
func (d *Document) Pos(path ...any) diag.Position {
	_, value := find(d.root, path)
	return d.at(value)
}

// KeyPos returns the position of the key whose value Pos gives; of the value,
// where it stands in a list.
func (d *Document) KeyPos(path ...any) diag.Position {
	key, value := find(d.root, path)
	if key == nil {
		key = value
	}
	return d.at(key)
}

func (d *Document) at(n *yaml.Node) diag.Position {
	return diag.Position{File: d.File, Line: max(n.Line, 1), Col: max(n.Column, 1)}
}

// Inside returns the position of a byte offset within the text of a scalar, as
// far as its quoting lets it be known.
func (d *Document) Inside(offset int, path ...any) diag.Position {
	_, value := find(d.root, path)
	p := d.at(value)
	if value.Kind != yaml.ScalarNode || offset < 0 || offset > len(value.Value) || strings.Contains(value.Value, "\n") {
		return p
	}
	before := value.Value[:offset]
	switch {
	case value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return p
	case value.Style&yaml.SingleQuotedStyle != 0:
		p.Col += 1 + strings.Count(before, "'")
	case value.Style&yaml.DoubleQuotedStyle != 0:
		p.Col += 1 + strings.Count(before, `\`) + strings.Count(before, `"`)
	}
	p.Col += utf8.RuneCountInString(before)
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
	if len(n.Content) == 0 || n.Content[0].Kind == yaml.ScalarNode && n.Content[0].Tag == "!!null" && n.Content[0].Anchor == "" {
		return nil, nil
	}
	d := &Document{File: file, root: n.Content[0]}
	t := &tree{file: file, refused: map[*yaml.Node]bool{}}
	value := t.value(d.root, 0)
	if len(t.ds) > maxFindings || t.refused[d.root] {
		return nil, t.ds
	}
	m, ok := value.(map[string]any)
	if !ok {
		return nil, append(t.ds, diag.New("OSP1009", d.Pos(), "a document is a mapping of fields", "begin with `apiVersion: "+schemas.APIVersion+"`"))
	}
	kind, ds := d.kindOf(m, t)
	if ds = append(t.ds, ds...); kind == "" {
		return nil, ds
	}
	d.Kind = kind
	found, patternsOnly := d.validate(m, t)
	if ds = append(ds, found...); len(ds) > len(found) || !patternsOnly {
		return d.lenient(m), ds
	}
	doc, failed := d.decode(m)
	return doc, append(ds, failed...)
}

// kindOf finds out what a document is before its schema can say what is wrong.
// A kind that is close to none is "".
func (d *Document) kindOf(m map[string]any, t *tree) (string, []diag.Diagnostic) {
	var ds []diag.Diagnostic
	add := func(pos diag.Position, hint, format string, args ...any) {
		ds = append(ds, diag.New("OSP1006", pos, fmt.Sprintf(format, args...), hint))
	}
	kinds := []string{schemas.KindSandboxPolicy, schemas.KindPolicyTest, schemas.KindPolicyInvariants}
	kind, _ := m["kind"].(string)
	_, kindGiven := m["kind"]
	switch {
	case !kindGiven && t.isRefused(d.root, "kind"):
	case !kindGiven:
		add(d.Pos(), "add `kind: SandboxPolicy`", "the document has no kind")
	case !slices.Contains(kinds, kind):
		hint := suggest(kind, kinds)
		if hint == "" {
			hint = "write `kind: SandboxPolicy`, `kind: PolicyTest` or `kind: PolicyInvariants`"
		}
		add(d.Pos("kind"), hint, "unknown kind %s", show(m["kind"]))
		kind = Closest(kind, kinds) // what else is wrong is said as of what was meant
		m["kind"] = kind
	}
	version, versionGiven := m["apiVersion"]
	switch {
	case !versionGiven && t.isRefused(d.root, "apiVersion"):
	case !versionGiven:
		add(d.Pos(), "add `apiVersion: "+schemas.APIVersion+"`", "the document has no apiVersion")
	case version != schemas.APIVersion:
		add(d.Pos("apiVersion"), "write `apiVersion: "+schemas.APIVersion+"`", "unknown apiVersion %s", show(version))
	}
	return kind, ds
}

func show(v any) string {
	if s, ok := v.(string); ok {
		if r := []rune(s); len(r) > 60 {
			s = string(r[:57]) + "..."
		}
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func (d *Document) decode(value any) (*Document, []diag.Diagnostic) {
	encoded, err := json.Marshal(value)
	if err == nil && d.Kind == schemas.KindSandboxPolicy {
		d.Policy = &schemas.SandboxPolicy{}
		err = json.Unmarshal(encoded, d.Policy)
	} else if err == nil && d.Kind == schemas.KindPolicyInvariants {
		d.Invariants = &schemas.PolicyInvariants{}
		err = json.Unmarshal(encoded, d.Invariants)
	} else if err == nil {
		d.Test = &schemas.PolicyTest{}
		err = json.Unmarshal(encoded, d.Test)
	}
	if err != nil {
		return nil, []diag.Diagnostic{diag.New("OSP1009", d.Pos(), err.Error(), "openshell-policy schema "+d.Kind+" describes every field")}
	}
	return d, nil
}

// Root is the node of the document's mapping, for what prints it anew.
func (d *Document) Root() *yaml.Node { return d.root }
