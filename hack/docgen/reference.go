package main

import (
	"bytes"
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/schemas"
)

//go:embed intro.md
var intro string

const generated = "<!-- Written by go run ./hack/docgen; change the schemas or hack/docgen instead. -->\n\n"

// policyReference explains the policy language and lists every field of the
// documents that people write.
func policyReference() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(generated + intro)
	for _, kind := range []string{schemas.KindSandboxPolicy, schemas.KindPolicyTest, schemas.KindPolicyInvariants} {
		s, err := load(kind)
		if err != nil {
			return nil, err
		}
		p := &page{schema: s, out: &b, seen: map[*yaml.Node]bool{}}
		fmt.Fprintf(&b, "\n## Fields of a %s\n", kind)
		p.section("", s.view(s.root))
	}
	return b.Bytes(), nil
}

// page writes one section for each kind of mapping, in the order that they
// appear in.
type page struct {
	*schema
	out  *bytes.Buffer
	seen map[*yaml.Node]bool
}

// section describes the mapping at a path, then those inside it.
func (p *page) section(path string, v view) {
	if p.seen[v.base()] {
		return
	}
	p.seen[v.base()] = true
	if path != "" {
		fmt.Fprintf(p.out, "\n### `%s`\n", path)
	}
	fmt.Fprintf(p.out, "\n%s\n", v.text("description"))
	p.example(v)
	p.table(v)
	properties := v.get("properties")
	for i := 0; i+1 < len(properties.Content); i += 2 {
		p.inside(join(path, properties.Content[i].Value), p.view(properties.Content[i+1]))
	}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

// inside finds the mappings in a value: itself, the elements of a list, the
// values of a mapping, or alternatives.
func (p *page) inside(path string, v view) {
	if v.get("properties") != nil {
		p.section(path, v)
		return
	}
	if items := v.get("items"); items != nil {
		p.inside(path+"[]", p.view(items))
	}
	if values := v.get("additionalProperties"); values != nil && values.Kind == yaml.MappingNode {
		p.inside(path+".KEY", p.view(values))
	}
	for _, branch := range v.list("oneOf") {
		p.inside(path, p.view(branch))
	}
}

func (p *page) example(v view) {
	examples := v.list("examples")
	if len(examples) == 0 {
		return
	}
	fmt.Fprintf(p.out, "\n```yaml\n%s```\n", block(examples[0], ""))
}

func (p *page) table(v view) {
	p.out.WriteString("\n| field | value | default | meaning | example |\n|---|---|---|---|---|\n")
	properties := v.get("properties")
	for i := 0; i+1 < len(properties.Content); i += 2 {
		name, field := properties.Content[i].Value, p.view(properties.Content[i+1])
		fmt.Fprintf(p.out, "| `%s` | %s | %s | %s | %s |\n", name, cell(p.typeWords(field)),
			cell(p.defaultWords(name, v, field)), cell(field.text("description")), cell(p.examples(field)))
	}
}

func (p *page) defaultWords(name string, parent, field view) string {
	for _, required := range parent.list("required") {
		if required.Value == name {
			return "**required**"
		}
	}
	if d := field.text("default"); d != "" {
		return "`" + d + "`"
	}
	return field.text("x-default")
}

// examples leaves out those of mappings, which their own section shows.
func (p *page) examples(field view) string {
	if field.get("properties") != nil {
		return "below"
	}
	if items := field.get("items"); items != nil && p.view(items).get("properties") != nil {
		return "below"
	}
	text := ""
	for i, example := range field.list("examples") {
		if i > 0 {
			text += "<br>"
		}
		text += "`" + flow(example) + "`"
	}
	return text
}
