package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// validate turns what the schema says into findings with positions, less what
// was said already: about kind and version, and about what the tree refused.
// patternsOnly tells that nothing is wrong but texts with a grammar of their own.
func (d *Document) validate(value any, t *tree) (ds []diag.Diagnostic, patternsOnly bool) {
	patternsOnly = true
	for _, v := range schemas.Validate(d.Kind, value) {
		_, node := find(d.root, v.Path)
		said := len(v.Path) == 1 && v.Path[0] == "apiVersion" ||
			len(v.Path) == 0 && v.Keyword == "required" && strings.Contains(v.Message, `"apiVersion"`)
		if !said && !t.refused[node] {
			found := d.violation(v)
			ds = append(ds, found)
			patternsOnly = patternsOnly && strings.HasPrefix(found.Code, "OSP2")
		}
	}
	return ds, patternsOnly
}

// patternCodes are the codes of fields whose text has a grammar of its own:
// package check would say the same of them.
var patternCodes = map[string]string{
	"host": "OSP2001", "paths": "OSP2002", "binaries": "OSP2002", "writable": "OSP2002", "readonly": "OSP2002",
	"blocked": "OSP2002", "allowed_commands": "OSP2003", "blocked_commands": "OSP2003", "allow_private": "OSP2008",
}

func (d *Document) violation(v schemas.Violation) diag.Diagnostic {
	key, node := find(d.root, v.Path)
	field, last := fieldOf(v.Path)
	code := "OSP1009"
	switch {
	case v.Keyword == "required":
		code = "OSP1008"
	case field == "methods" && !last && v.Keyword != "type":
		code = "OSP1010"
	case v.Keyword == "pattern" && patternCodes[field] != "":
		code = patternCodes[field]
	case last && key != nil && (v.Keyword == "additionalProperties" || v.Keyword == "properties"):
		code, node = "OSP1007", key
	}
	message := v.Message
	if at := where(v.Path); at != "" && code != "OSP1007" {
		message = at + ": " + message
	}
	out := diag.New(code, d.at(node), message, d.hint(code, field, v, node))
	if node.Kind == yaml.ScalarNode && !strings.Contains(node.Value, "\n") {
		out.Width = utf8.RuneCountInString(node.Value)
		if node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			out.Width += 2
		}
	}
	return out
}

// fieldOf returns the innermost field of a path, and whether the path ends in it
// and not in an entry of its list.
func fieldOf(path []any) (field string, last bool) {
	for i := len(path) - 1; i >= 0; i-- {
		if s, ok := path[i].(string); ok {
			return s, i == len(path)-1
		}
	}
	return "", false
}

// where names the field of a violation as people write it: spec.network.outbound[0].host.
func where(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}
