package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

type object = map[string]any

const apiIntro = "The gateway's admin API. Every operation but /healthz and /readyz needs a bearer token or, where the listener has a certificate, one of the client's. " +
	"An {id} is sb-a1b2c3, a1b2c3 or a unique prefix of either. Errors are an Error with a 4xx or 5xx status."

// openAPI writes the OpenAPI document of the admin API: operations from its table
// of routes, schemas from its types and their comments, and those of the wire
// types from their JSON Schemas.
func openAPI() ([]byte, error) {
	docs, err := fieldDocs(filepath.Join(moduleRoot(), "schemas", "adminapi", "types.go"))
	if err != nil {
		return nil, err
	}
	c := &components{docs: docs, schemas: object{}}
	paths := object{}
	for _, r := range adminapi.Routes() {
		item, ok := paths[r.Path].(object)
		if !ok {
			item = object{}
			paths[r.Path] = item
		}
		item[strings.ToLower(r.Method)] = c.operation(r)
	}
	c.ref(reflect.TypeOf(adminapi.Error{}))
	doc := object{
		"openapi": "3.1.0",
		"info":    object{"title": "OpenShell gateway", "version": "v1", "description": apiIntro},
		"paths":   paths,
		"components": object{
			"schemas": c.schemas,
			"securitySchemes": object{
				"token":       object{"type": "http", "scheme": "bearer"},
				"certificate": object{"type": "mutualTLS"},
			},
		},
		"security": []any{object{"token": []string{}}, object{"certificate": []string{}}},
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	return append(text, '\n'), err
}

type components struct {
	docs    map[string]string // Type and Type.Field
	schemas object
}

func (c *components) operation(r adminapi.Route) object {
	op := object{"operationId": r.Name, "summary": upperFirst(r.Doc) + ".", "responses": c.responses(r)}
	var params []any
	for _, name := range pathParams(r.Path) {
		params = append(params, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.Query {
		params = append(params, object{"name": p.Name, "in": "query", "description": upperFirst(p.Doc) + ".", "schema": object{"type": paramType(p.Kind)}})
	}
	if params != nil {
		op["parameters"] = params
	}
	if r.In != nil {
		content := object{r.Takes: object{"schema": object{"type": "string"}}}
		if r.Takes == "" {
			content = object{adminapi.TypeJSON: object{"schema": c.ref(reflect.TypeOf(r.In))}}
		}
		op["requestBody"] = object{"required": true, "content": content}
	}
	if r.Open {
		op["security"] = []any{}
	}
	return op
}

func (c *components) responses(r adminapi.Route) object {
	content := object{r.Gives: object{}}
	if r.Out != nil {
		content = object{adminapi.TypeJSON: object{"schema": c.ref(reflect.TypeOf(r.Out))}}
	}
	failed := object{adminapi.TypeJSON: object{"schema": c.ref(reflect.TypeOf(adminapi.Error{}))}}
	return object{
		strconv.Itoa(r.Status): object{"description": "Done.", "content": content},
		"default":              object{"description": "Not done, and why.", "content": failed},
	}
}

func paramType(kind string) string {
	switch kind {
	case "bool":
		return "boolean"
	case "string":
		return "string"
	}
	return "integer"
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// ref returns a reference to a type's schema, and adds the schema.
func (c *components) ref(t reflect.Type) object {
	name := t.Name()
	if _, known := c.schemas[name]; !known {
		c.schemas[name] = object{} // while it is being made
		c.schemas[name] = c.schema(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (c *components) schema(t reflect.Type) any {
	if t.PkgPath() != reflect.TypeOf(adminapi.Error{}).PkgPath() {
		return wireSchema(t)
	}
	properties, required := object{}, []string{}
	c.fields(t, properties, &required)
	return object{"type": "object", "description": c.docs[t.Name()], "properties": properties, "required": required}
}

func (c *components) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			c.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		value := c.value(f.Type)
		if doc := c.docs[t.Name()+"."+f.Name]; doc != "" {
			value["description"] = doc
		}
		properties[name] = value
		if options != "omitempty" {
			*required = append(*required, name)
		}
	}
}

func (c *components) value(t reflect.Type) object {
	switch {
	case t == reflect.TypeOf(time.Time{}):
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return c.value(t.Elem())
	case t.Kind() == reflect.Struct:
		return c.ref(t)
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": c.value(t.Elem())}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Float64:
		return object{"type": "number"}
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return object{"type": "integer"}
	}
	panic(fmt.Sprintf("docgen: no schema for %v", t))
}

// wireSchema points to the JSON Schema that describes a wire type; its text is
// what `openshell-policy schema` prints.
func wireSchema(t reflect.Type) object {
	title := t.Name()
	if t == reflect.TypeOf(schemas.TestRequest{}) {
		title = "the mapping form of PolicyTest's request"
	}
	return object{"type": "object", "description": "As the JSON Schema of " + title + " says (openshell-policy schema)."}
}

// fieldDocs returns the comments of a file's types and of their fields.
func fieldDocs(file string) (map[string]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	docs := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok {
			return true
		}
		for _, spec := range decl.Specs {
			ts, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			docs[ts.Name.Name] = oneLine(decl.Doc.Text())
			if st, ok := ts.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						docs[ts.Name.Name+"."+name.Name] = oneLine(f.Doc.Text() + " " + f.Comment.Text())
					}
				}
			}
		}
		return false
	})
	return docs, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
