package schemas_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/openshell-policy/openshell/schemas"
)

// node is one schema that describes a value, by its JSON pointer.
type node struct {
	pointer string
	schema  map[string]any
}

// nodes lists the schemas of a document that describe a value: the root,
// definitions, properties, items and alternatives. Fragments under allOf, if,
// then, else and not only constrain what is described elsewhere.
func nodes(pointer string, schema map[string]any) []node {
	found := []node{{pointer, schema}}
	add := func(pointer string, v any) {
		if sub, ok := v.(map[string]any); ok {
			found = append(found, nodes(pointer, sub)...)
		}
	}
	for _, keyword := range []string{"$defs", "definitions", "properties"} {
		named, _ := schema[keyword].(map[string]any)
		for name, v := range named {
			add(pointer+"/"+keyword+"/"+name, v)
		}
	}
	for _, keyword := range []string{"oneOf", "anyOf"} {
		list, _ := schema[keyword].([]any)
		for i, v := range list {
			add(fmt.Sprintf("%s/%s/%d", pointer, keyword, i), v)
		}
	}
	add(pointer+"/items", schema["items"])
	add(pointer+"/additionalProperties", schema["additionalProperties"])
	return found
}

func decode(t *testing.T, text []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// compiler holds the schema under url and refuses to load any other.
func compiler(t *testing.T, url string, text []byte) *jsonschema.Compiler {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat = true
	c.LoadURL = func(url string) (io.ReadCloser, error) {
		return nil, fmt.Errorf("the schema is not whole: it refers to %s", url)
	}
	if err := c.AddResource(url, bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSchemasCompile(t *testing.T) {
	compiled := 0
	for _, name := range schemas.SchemaNames() {
		for draft, render := range map[string]func(string) ([]byte, error){
			"2020-12/schema":   schemas.SchemaJSON,
			"draft-07/schema#": schemas.SchemaDraft7,
		} {
			text, err := render(name)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			root := decode(t, text)
			if got := fmt.Sprint(root["$schema"]); !strings.HasSuffix(got, draft) {
				t.Errorf("%s: $schema = %s, want ...%s", name, got, draft)
			}
			if _, err := compiler(t, fmt.Sprint(root["$id"]), text).Compile(fmt.Sprint(root["$id"])); err != nil {
				t.Errorf("%s as %s: %v", name, draft, err)
			}
			compiled++
		}
	}
	if want := 2 * len(schemas.SchemaNames()); compiled != want || want == 0 {
		t.Errorf("compiled %d schemas, want %d", compiled, want)
	}
}

func TestEveryNodeHasDescriptionAndExamples(t *testing.T) {
	seen, examples := 0, 0
	for _, name := range schemas.SchemaNames() {
		text, err := schemas.SchemaJSON(name)
		if err != nil {
			t.Fatal(err)
		}
		root := decode(t, text)
		url := fmt.Sprint(root["$id"])
		c := compiler(t, url, text)
		for _, n := range nodes("", root) {
			if n.schema["required"] != nil && len(n.schema) == 1 {
				continue // an alternative that only says what must be there
			}
			seen++
			if d, _ := n.schema["description"].(string); d == "" {
				t.Errorf("%s#%s has no description", name, n.pointer)
			}
			list, _ := n.schema["examples"].([]any)
			if len(list) == 0 {
				t.Errorf("%s#%s has no examples", name, n.pointer)
			}
			sch, err := c.Compile(url + "#" + n.pointer)
			if err != nil {
				t.Errorf("%s#%s: %v", name, n.pointer, err)
				continue
			}
			for i, example := range list {
				examples++
				if err := sch.Validate(example); err != nil {
					t.Errorf("%s#%s: example %d: %#v", name, n.pointer, i, err)
				}
			}
		}
	}
	if seen < 200 || examples < seen {
		t.Errorf("saw %d nodes and %d examples: the walk has lost its way", seen, examples)
	}
}

// The examples of a schema's root are documents of it, in both drafts.
func TestRootExamplesValidate(t *testing.T) {
	seen := 0
	for _, name := range schemas.SchemaNames() {
		text, err := schemas.SchemaJSON(name)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := decode(t, text)["examples"].([]any)
		for _, example := range list {
			seen++
			for _, v := range schemas.Validate(name, example) {
				t.Errorf("%s: %v: %s", name, v.Path, v.Message)
			}
			if !draft7(t, name)(example) {
				t.Errorf("%s: draft-07 refuses the example", name)
			}
		}
	}
	if seen == 0 {
		t.Error("no examples seen")
	}
}

func draft7(t *testing.T, name string) func(any) bool {
	t.Helper()
	text, err := schemas.SchemaDraft7(name)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprint(decode(t, text)["$id"])
	sch, err := compiler(t, url, text).Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	return func(v any) bool { return sch.Validate(v) == nil }
}

// Draft-07 has other names for some keywords and lacks others: none of either
// may be left in the rendering.
func TestDraft7HasNoForeignKeywords(t *testing.T) {
	foreign := []string{
		"$defs", "prefixItems", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems",
		"minContains", "maxContains", "$anchor", "$dynamicRef", "$dynamicAnchor",
	}
	seen := 0
	for _, name := range schemas.SchemaNames() {
		text, err := schemas.SchemaDraft7(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes("", decode(t, text)) {
			seen++
			for _, keyword := range foreign {
				if _, ok := n.schema[keyword]; ok {
					t.Errorf("%s#%s: %s is not of draft-07", name, n.pointer, keyword)
				}
			}
			if n.schema["$ref"] != nil && len(n.schema) > 1 {
				t.Errorf("%s#%s: draft-07 ignores what stands beside $ref", name, n.pointer)
			}
		}
	}
	if seen == 0 {
		t.Error("no nodes seen")
	}
}

func TestUnknownSchema(t *testing.T) {
	if _, err := schemas.SchemaJSON("Nonsense"); err == nil {
		t.Error("SchemaJSON: no error for an unknown name")
	}
	if _, err := schemas.SchemaDraft7("../policy"); err == nil {
		t.Error("SchemaDraft7: no error for an unknown name")
	}
	if got := schemas.Validate("Nonsense", nil); len(got) != 1 {
		t.Errorf("Validate: got %v, want one violation", got)
	}
}

// Every file is reachable by a name.
func TestEveryFileHasAName(t *testing.T) {
	entries, err := os.ReadDir("json")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(schemas.SchemaNames()) {
		t.Errorf("%d files for %d names", len(entries), len(schemas.SchemaNames()))
	}
	for _, name := range schemas.SchemaNames() {
		text, err := schemas.SchemaJSON(name)
		if err != nil {
			t.Fatal(err)
		}
		root := decode(t, text)
		if root["title"] != name {
			t.Errorf("%s: title = %v", name, root["title"])
		}
		if got, want := path.Base(fmt.Sprint(root["$id"])), strings.ToLower(name)+".schema.json"; got != want {
			t.Errorf("%s: $id ends in %s, want %s", name, got, want)
		}
	}
}
