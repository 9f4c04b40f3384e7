package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const draft7URL = "http://json-schema.org/draft-07/schema#"

// What holds schemas: keywords whose value is one schema, a list of schemas, or
// a mapping from names to schemas. Every other value is data and stays as it is.
var (
	schemaKeywords     = []string{"items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"}
	schemaListKeywords = []string{"allOf", "anyOf", "oneOf"}
	schemaMapKeywords  = []string{"$defs", "properties", "patternProperties"}
)

// draft7Lacks lists the keywords of 2020-12 that draft-07 does not know, or
// knows by another name that no schema of ours has needed yet.
var draft7Lacks = []string{
	"$anchor", "$dynamicAnchor", "$dynamicRef", "$vocabulary", "dependentRequired", "dependentSchemas",
	"maxContains", "minContains", "prefixItems", "unevaluatedItems", "unevaluatedProperties",
}

// eachSchema calls f for the schema and every one inside it, outermost first.
func eachSchema(schema any, f func(map[string]any)) {
	node, ok := schema.(map[string]any)
	if !ok {
		return
	}
	f(node)
	for _, keyword := range slices.Sorted(maps.Keys(node)) {
		for _, sub := range subschemas(keyword, node[keyword]) {
			eachSchema(sub, f)
		}
	}
}

func subschemas(keyword string, value any) []any {
	switch {
	case slices.Contains(schemaKeywords, keyword):
		return []any{value}
	case slices.Contains(schemaListKeywords, keyword):
		list, _ := value.([]any)
		return list
	case slices.Contains(schemaMapKeywords, keyword):
		named, _ := value.(map[string]any)
		return slices.Collect(maps.Values(named))
	}
	return nil
}

// draft7Root rewrites a whole document. Its $id changes, because two texts must
// not share one.
func draft7Root(root map[string]any) (map[string]any, error) {
	out, err := draft7Node(root)
	if err != nil {
		return nil, err
	}
	out["$schema"] = draft7URL
	return out, nil
}

// draft7Node says in draft-07 what node says in 2020-12.
func draft7Node(node map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for keyword, value := range node {
		if slices.Contains(draft7Lacks, keyword) {
			return nil, fmt.Errorf("keyword %q has no counterpart", keyword)
		}
		converted, err := draft7Value(keyword, value)
		if err != nil {
			return nil, err
		}
		out[keyword] = converted
	}
	delete(out, "$schema")
	renameDefs(out)
	isolateRef(out)
	return out, nil
}

func draft7Value(keyword string, value any) (any, error) {
	switch {
	case slices.Contains(schemaKeywords, keyword):
		return draft7Schema(value)
	case slices.Contains(schemaListKeywords, keyword):
		return draft7List(value)
	case slices.Contains(schemaMapKeywords, keyword):
		return draft7Map(value)
	}
	return value, nil
}

// draft7Schema also takes the schemas true and false.
func draft7Schema(value any) (any, error) {
	if node, ok := value.(map[string]any); ok {
		return draft7Node(node)
	}
	return value, nil
}

func draft7List(value any) (any, error) {
	list, _ := value.([]any)
	out := make([]any, len(list))
	for i, item := range list {
		var err error
		if out[i], err = draft7Schema(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func draft7Map(value any) (any, error) {
	named, _ := value.(map[string]any)
	out := make(map[string]any, len(named))
	for name, item := range named {
		var err error
		if out[name], err = draft7Schema(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func renameDefs(node map[string]any) {
	if defs, ok := node["$defs"]; ok {
		node["definitions"] = defs
		delete(node, "$defs")
	}
	if ref, ok := node["$ref"].(string); ok {
		node["$ref"] = draft7URI(strings.Replace(ref, "#/$defs/", "#/definitions/", 1))
	}
	if id, ok := node["$id"].(string); ok {
		node["$id"] = draft7URI(id)
	}
}

// draft7URI gives the draft-07 rendering of a schema a name of its own.
func draft7URI(uri string) string {
	return strings.Replace(uri, ".schema.json", ".draft-07.schema.json", 1)
}

// isolateRef: whatever stood beside $ref was ignored.
func isolateRef(node map[string]any) {
	ref, ok := node["$ref"]
	if !ok || len(node) == 1 {
		return
	}
	delete(node, "$ref")
	all, _ := node["allOf"].([]any)
	node["allOf"] = append([]any{map[string]any{"$ref": ref}}, all...)
}
