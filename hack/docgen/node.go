package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/schemas"
)

// schema is a JSON Schema whose keys keep their order. JSON is YAML, and YAML
// nodes keep it.
type schema struct{ root *yaml.Node }

func load(name string) (*schema, error) {
	text, err := schemas.SchemaJSON(name)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("schema %s is empty", name)
	}
	return &schema{doc.Content[0]}, nil
}

// get returns a key's value in a mapping, or nil.
func get(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// view is a node and, behind it, what it refers to: the nearer one wins.
type view []*yaml.Node

func (s *schema) view(n *yaml.Node) view {
	v := view{n}
	for ref := get(n, "$ref"); ref != nil; ref = get(n, "$ref") {
		n = s.root
		for _, step := range strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/") {
			n = get(n, step)
		}
		v = append(v, n)
	}
	return v
}

func (v view) get(key string) *yaml.Node {
	for _, n := range v {
		if found := get(n, key); found != nil {
			return found
		}
	}
	return nil
}

func (v view) text(key string) string {
	if n := v.get(key); n != nil {
		return n.Value
	}
	return ""
}

// list returns the elements of a sequence.
func (v view) list(key string) []*yaml.Node {
	if n := v.get(key); n != nil && n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return nil
}

// base is the node that describes the structure: the last referred to.
func (v view) base() *yaml.Node { return v[len(v)-1] }
