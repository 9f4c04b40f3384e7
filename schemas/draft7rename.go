package schemas

import (
	"maps"
	"strings"
)

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

// renamePrefixItems: items was a list or a schema then, with additionalItems
// for what follows a list.
func renamePrefixItems(node map[string]any) {
	prefix, ok := node["prefixItems"]
	if !ok {
		return
	}
	if rest, ok := node["items"]; ok {
		node["additionalItems"] = rest
	}
	node["items"] = prefix
	delete(node, "prefixItems")
}

// joinDependencies: dependentRequired and dependentSchemas were one keyword.
func joinDependencies(node map[string]any) {
	joined := map[string]any{}
	if required, ok := node["dependentRequired"].(map[string]any); ok {
		maps.Copy(joined, required)
	}
	schemas, _ := node["dependentSchemas"].(map[string]any)
	for name, schema := range schemas {
		if required, ok := joined[name]; ok {
			schema = map[string]any{"allOf": []any{schema, map[string]any{"required": required}}}
		}
		joined[name] = schema
	}
	delete(node, "dependentRequired")
	delete(node, "dependentSchemas")
	if len(joined) > 0 {
		node["dependencies"] = joined
	}
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
