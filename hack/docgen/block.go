package main

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// block writes an example as YAML on several lines: mappings and lists of
// mappings in block style, what is short on one line.
func block(n *yaml.Node, indent string) string {
	var b strings.Builder
	switch {
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			b.WriteString(indent + n.Content[i].Value + ":" + nested(n.Content[i+1], indent+"  "))
		}
	case n.Kind == yaml.SequenceNode && !short(n):
		for _, item := range n.Content {
			text := block(item, indent+"  ")
			b.WriteString(indent + "- " + strings.TrimPrefix(text, indent+"  "))
		}
	default:
		b.WriteString(indent + flow(n) + "\n")
	}
	return b.String()
}

func nested(n *yaml.Node, indent string) string {
	if short(n) {
		return " " + flow(n) + "\n"
	}
	return "\n" + block(n, indent)
}

// short tells whether a value reads well on one line: it holds no mapping, or
// little text.
func short(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		return true
	}
	for _, item := range n.Content {
		if item.Kind == yaml.MappingNode || item.Kind == yaml.SequenceNode && n.Kind == yaml.MappingNode {
			return false
		}
	}
	return len(flow(n)) < 60
}
