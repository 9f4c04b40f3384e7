package parse

import (
	"fmt"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
)

// maxDepth bounds the nesting of a document.
const maxDepth = 64

// tree turns nodes into the values that a JSON Schema validates, and refuses
// what would make a policy mean something else than it shows.
type tree struct {
	file string
	ds   []diag.Diagnostic
	// refused holds the nodes whose value is not what was written, so that
	// nothing more is said about them.
	refused map[*yaml.Node]bool
}

func (t *tree) report(code string, n *yaml.Node, message, hint string) {
	t.ds = append(t.ds, diag.New(code, t.pos(n), message, hint))
}

func (t *tree) refuse(code string, n *yaml.Node, message, hint string) any {
	t.report(code, n, message, hint)
	t.refused[n] = true
	return nil
}

// isRefused tells whether something was refused at a mapping or at its value of
// a key.
func (t *tree) isRefused(n *yaml.Node, key string) bool {
	_, value := child(n, key)
	return t.refused[n] || value != nil && t.refused[value]
}

func (t *tree) pos(n *yaml.Node) diag.Position {
	return diag.Position{File: t.file, Line: max(n.Line, 1), Col: max(n.Column, 1)}
}

func (t *tree) value(n *yaml.Node, depth int) any {
	if depth > maxDepth {
		return t.refuse("OSP1005", n, fmt.Sprintf("nested more than %d levels deep", maxDepth), "flatten the document: no policy needs more than a few levels")
	}
	if n.Anchor != "" {
		t.report("OSP1003", n, fmt.Sprintf("anchors such as &%s are refused", n.Anchor), "write the value out where it is used")
	}
	if n.Style&yaml.TaggedStyle != 0 {
		return t.refuse("OSP1003", n, fmt.Sprintf("tags such as %s are refused", show(n.Tag)), "remove the tag; quote the value if it is text")
	}
	switch n.Kind {
	case yaml.MappingNode:
		return t.mapping(n, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, t.value(c, depth+1))
		}
		return list
	case yaml.AliasNode:
		return t.refuse("OSP1003", n, fmt.Sprintf("aliases such as *%s are refused", n.Value), "write the value out where it is used")
	}
	return scalar(n)
}

func (t *tree) mapping(n *yaml.Node, depth int) any {
	m := make(map[string]any, len(n.Content)/2)
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if !t.key(key) {
			t.refused[n] = true
			continue
		}
		if before := first[key.Value]; before != nil {
			t.report("OSP1004", key, fmt.Sprintf("%s is given twice", show(key.Value)), "remove one of them")
			last := &t.ds[len(t.ds)-1]
			last.Related = []diag.Related{{Pos: t.pos(before), Message: "first given here"}}
			continue
		}
		first[key.Value] = key
		m[key.Value] = t.value(n.Content[i+1], depth+1)
	}
	return m
}

func (t *tree) key(key *yaml.Node) bool {
	switch {
	case key.Tag == "!!merge":
		t.report("OSP1003", key, "merge keys (<<) are refused", "write the fields out, or share a policy through extends")
	case key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || key.Anchor != "":
		t.report("OSP1003", key, "a key must be plain text", "write the key without brackets, tags or anchors")
	default:
		return true
	}
	return false
}

// scalar reads a scalar by YAML 1.2's core schema: no and on are text, and so is
// a date.
func scalar(n *yaml.Node) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}
