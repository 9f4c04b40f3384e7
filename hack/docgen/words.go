package main

import (
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// typeWords says in words what a value may be.
func (s *schema) typeWords(v view) string {
	switch {
	case v.get("const") != nil:
		return "`" + v.text("const") + "`"
	case len(v.list("enum")) > 0:
		return alternatives(v.list("enum"))
	case len(v.list("oneOf")) > 0:
		return s.branches(v.list("oneOf"))
	case len(v.list("anyOf")) > 0:
		return "string"
	}
	switch v.text("type") {
	case "array":
		return s.listWords(v)
	case "object":
		return s.mappingWords(v)
	case "integer":
		return "whole number" + bounds(v)
	case "boolean":
		return "`true` or `false`"
	default:
		return "string"
	}
}

func alternatives(values []*yaml.Node) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = "`" + v.Value + "`"
	}
	return orList(words)
}

func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

func (s *schema) branches(nodes []*yaml.Node) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = s.typeWords(s.view(n))
	}
	return strings.Join(words, ", or ")
}

func (s *schema) listWords(v view) string {
	words := "list of " + plural(s.typeWords(s.view(v.get("items"))))
	if v.get("minItems") != nil {
		words += ", at least one"
	}
	return words
}

// plural knows the words of typeWords that lists hold.
func plural(words string) string {
	for _, singular := range []string{"whole number", "string", "mapping"} {
		if rest, ok := strings.CutPrefix(words, singular); ok {
			return singular + "s" + rest
		}
	}
	return words
}

func (s *schema) mappingWords(v view) string {
	if values := v.get("additionalProperties"); values != nil && values.Kind == yaml.MappingNode {
		return "mapping from keys to " + s.typeWords(s.view(values))
	}
	return "mapping"
}

func bounds(v view) string {
	if v.get("minimum") == nil || v.get("maximum") == nil {
		return ""
	}
	return " from " + v.text("minimum") + " to " + v.text("maximum")
}

// plainScalar matches what YAML reads as text without quotes, in any place.
var plainScalar = regexp.MustCompile(`^[A-Za-z0-9/.]([A-Za-z0-9/._@+-]|:[A-Za-z0-9/]| [A-Za-z0-9/.-])*$`)

// flow writes an example as YAML on one line.
func flow(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, n.Content[i].Value+": "+flow(n.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yaml.SequenceNode:
		for _, item := range n.Content {
			parts = append(parts, flow(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if n.Tag != "!!str" || plainScalar.MatchString(n.Value) && !looksTyped(n.Value) {
		return n.Value
	}
	quoted, _ := json.Marshal(n.Value)
	return string(quoted)
}

// looksTyped tells whether YAML would not read a plain scalar as a string.
func looksTyped(s string) bool {
	var v any
	if err := yaml.Unmarshal([]byte(s), &v); err != nil {
		return true
	}
	_, isString := v.(string)
	return !isString
}

// cell makes text fit into a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
