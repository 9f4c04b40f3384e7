package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

//go:embed json/*.schema.json
var schemaFiles embed.FS

// SchemaNames lists the documents that have a JSON Schema, those that people
// write first.
func SchemaNames() []string {
	return []string{KindSandboxPolicy, KindPolicyTest, KindPolicyInvariants, "DecisionInput", "Decision", "Record"}
}

// SchemaJSON returns the JSON Schema (2020-12) of one of SchemaNames. The schema
// is whole: what it takes from another is embedded under $defs.
func SchemaJSON(name string) ([]byte, error) {
	text, err := schemaText(name)
	if err != nil {
		return nil, err
	}
	root, err := decodeSchema(text)
	if err != nil {
		return nil, err
	}
	others, err := references(root)
	if err != nil || len(others) == 0 {
		return text, err
	}
	embedReferences(root, others)
	return encodeSchema(root)
}

// SchemaDraft7 returns the schema of one of SchemaNames in draft-07, which is
// what most editors read. It accepts the same documents.
func SchemaDraft7(name string) ([]byte, error) {
	text, err := SchemaJSON(name)
	if err != nil {
		return nil, err
	}
	root, err := decodeSchema(text)
	if err != nil {
		return nil, err
	}
	converted, err := draft7Root(root)
	if err != nil {
		return nil, fmt.Errorf("schema %s in draft-07: %w", name, err)
	}
	return encodeSchema(converted)
}

func schemaText(name string) ([]byte, error) {
	for _, known := range SchemaNames() {
		if name == known {
			return schemaFiles.ReadFile("json/" + schemaFile(name))
		}
	}
	return nil, fmt.Errorf("no schema named %q (have %s)", name, strings.Join(SchemaNames(), ", "))
}

func schemaFile(name string) string { return strings.ToLower(name) + ".schema.json" }

func decodeSchema(text []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var root map[string]any
	err := dec.Decode(&root)
	return root, err
}

func encodeSchema(root map[string]any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(root)
	return buf.Bytes(), err
}

// references decodes the other schema files that $ref names anywhere in root.
// A file that is referred to refers to no further one; a test holds that.
func references(root map[string]any) (map[string]map[string]any, error) {
	found := map[string]map[string]any{}
	var firstErr error
	eachSchema(root, func(node map[string]any) {
		file, _, _ := strings.Cut(text(node["$ref"]), "#")
		if file == "" || found[file] != nil {
			return
		}
		data, err := schemaFiles.ReadFile("json/" + file)
		if err == nil {
			found[file], err = decodeSchema(data)
		}
		if err != nil && firstErr == nil {
			firstErr = err
		}
	})
	return found, firstErr
}

// embedReferences makes a compound document: an embedded schema keeps its $id,
// so that references to it resolve.
func embedReferences(root map[string]any, others map[string]map[string]any) {
	defs, _ := root["$defs"].(map[string]any)
	if defs == nil {
		defs = map[string]any{}
		root["$defs"] = defs
	}
	for file, other := range others {
		defs[strings.TrimSuffix(file, ".schema.json")] = other
	}
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// compiledSchema is a schema ready to validate with, and the raw documents that
// its error locations point into, by URL.
type compiledSchema struct {
	schema *jsonschema.Schema
	raw    map[string]map[string]any
}

// compiledSchemas holds one lazy, cached compilation per schema.
var compiledSchemas = func() map[string]func() (*compiledSchema, error) {
	m := map[string]func() (*compiledSchema, error){}
	for _, name := range SchemaNames() {
		m[name] = sync.OnceValues(func() (*compiledSchema, error) { return compileSchema(name) })
	}
	return m
}()

func compileSchema(name string) (*compiledSchema, error) {
	c := &compiledSchema{raw: map[string]map[string]any{}}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat = true
	compiler.LoadURL = func(url string) (io.ReadCloser, error) {
		data, err := schemaFiles.ReadFile("json/" + path.Base(url))
		if err != nil {
			return nil, err
		}
		c.raw[url], err = decodeSchema(data)
		return io.NopCloser(bytes.NewReader(data)), err
	}
	var err error
	c.schema, err = compiler.Compile(schemaBase + schemaFile(name))
	return c, err
}

// schemaBase is what every $id begins with. It names the schemas; nothing is
// ever fetched from it.
const schemaBase = "https://openshell.nvidia.com/schemas/v1alpha1/"
