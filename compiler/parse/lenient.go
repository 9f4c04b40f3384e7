package parse

import (
	"fmt"

	"github.com/openshell-policy/openshell/schemas"
)

// lenient decodes what of a document is of the right type; nil if that is nothing.
func (d *Document) lenient(m map[string]any) *Document {
	for _, v := range schemas.Validate(d.Kind, m) {
		if v.Keyword == "type" || v.Keyword == "oneOf" || v.Keyword == "anyOf" {
			drop(m, v.Path)
		}
	}
	doc, failed := d.decode(m)
	if len(failed) > 0 {
		return nil
	}
	if doc.Policy != nil && doc.Policy.Metadata.Name == "" {
		doc.Policy.Metadata.Name = fmt.Sprintf("unnamed-%d", doc.root.Line) // for its rules to be looked at
	}
	doc.partial = true
	return doc
}

// drop removes a value, or the list that it is an entry of: other entries would
// change their places.
func drop(m map[string]any, path []any) {
	var at any = m
	var fields []map[string]any
	var keys []string
	for _, step := range path {
		switch step := step.(type) {
		case string:
			fields, keys = append(fields, nil), append(keys, step)
			object, ok := at.(map[string]any)
			if !ok {
				return
			}
			fields[len(fields)-1] = object
			at = object[step]
		case int:
			list, ok := at.([]any)
			if !ok || step >= len(list) {
				return
			}
			at = list[step]
		}
	}
	if n := len(fields); n > 0 {
		delete(fields[n-1], keys[n-1])
	}
}
