package schemas_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
)

// described says which schema nodes describe a Go struct; several share one
// where the YAML differs by place.
var described = []struct {
	value    any
	schema   string
	pointers []string
}{
	{schemas.SandboxPolicy{}, "SandboxPolicy", []string{""}},
	{schemas.Metadata{}, "SandboxPolicy", []string{"/$defs/metadata"}},
	{schemas.Metadata{}, "PolicyTest", []string{"/$defs/metadata"}},
	{schemas.Spec{}, "SandboxPolicy", []string{"/$defs/spec"}},
	{schemas.Network{}, "SandboxPolicy", []string{"/$defs/network"}},
	{schemas.NetworkRule{}, "SandboxPolicy", []string{"/$defs/allowRule", "/$defs/denyRule"}},
	{schemas.QueryMatch{}, "SandboxPolicy", []string{"/$defs/queryMatch/oneOf/1"}},
	{schemas.Filesystem{}, "SandboxPolicy", []string{"/$defs/filesystem"}},
	{schemas.Execution{}, "SandboxPolicy", []string{"/$defs/execution"}},
	{schemas.PolicyTest{}, "PolicyTest", []string{""}},
	{schemas.PolicyTestSpec{}, "PolicyTest", []string{"/$defs/spec"}},
	{schemas.TestCase{}, "PolicyTest", []string{"/$defs/case"}},
	{schemas.TestRequest{}, "PolicyTest", []string{"/$defs/request/oneOf/1"}},
	{schemas.PolicyInvariants{}, "PolicyInvariants", []string{""}},
	{schemas.Metadata{}, "PolicyInvariants", []string{"/$defs/metadata"}},
	{schemas.PolicyInvariantsSpec{}, "PolicyInvariants", []string{"/$defs/spec"}},
	{schemas.Invariant{}, "PolicyInvariants", []string{"/$defs/invariant"}},
	{schemas.InvariantTargets{}, "PolicyInvariants", []string{"/$defs/targets"}},
	{schemas.DecisionInput{}, "DecisionInput", []string{""}},
	{schemas.Sandbox{}, "DecisionInput", []string{"/$defs/sandbox"}},
	{schemas.NetworkInput{}, "DecisionInput", []string{"/$defs/network"}},
	{schemas.PathForm{}, "DecisionInput", []string{"/$defs/pathForm"}},
	{schemas.FileInput{}, "DecisionInput", []string{"/$defs/file"}},
	{schemas.FileTarget{}, "DecisionInput", []string{"/$defs/fileTarget"}},
	{schemas.ExecInput{}, "DecisionInput", []string{"/$defs/exec"}},
	{schemas.Command{}, "DecisionInput", []string{"/$defs/command"}},
	{schemas.Decision{}, "Decision", []string{""}},
	{schemas.Source{}, "Decision", []string{"/$defs/source"}},
	{schemas.Record{}, "Record", []string{""}},
	{schemas.BundleInfo{}, "Record", []string{"/$defs/bundle"}},
	{schemas.Custom{}, "Record", []string{"/$defs/custom"}},
	{schemas.Outcome{}, "Record", []string{"/$defs/outcome"}},
	{schemas.AdminAction{}, "Record", []string{"/$defs/admin"}},
	{schemas.Recovered{}, "Record", []string{"/$defs/recovered"}},
	{schemas.Pruned{}, "Record", []string{"/$defs/pruned"}},
}

func TestTypesAndSchemasHaveTheSameFields(t *testing.T) {
	covered := map[reflect.Type]bool{}
	for _, d := range described {
		typ := reflect.TypeOf(d.value)
		covered[typ] = true
		fields := map[string]bool{}
		for _, n := range schemaNodes(t, d.schema) {
			if !slices.Contains(d.pointers, n.pointer) {
				continue
			}
			props, _ := n.schema["properties"].(map[string]any)
			for name := range props {
				fields[name] = true
			}
			if n.schema["additionalProperties"] != false {
				t.Errorf("%s#%s takes unknown fields", d.schema, n.pointer)
			}
		}
		want := slices.Sorted(maps.Keys(fields))
		if diff := cmp.Diff(want, jsonFields(typ)); diff != "" || len(want) == 0 {
			t.Errorf("%s and %s %v differ (-schema +type):\n%s", typ, d.schema, d.pointers, diff)
		}
	}
	for _, root := range []any{
		schemas.SandboxPolicy{}, schemas.PolicyTest{}, schemas.PolicyInvariants{}, schemas.DecisionInput{}, schemas.Decision{}, schemas.Record{},
	} {
		for _, typ := range structs(reflect.TypeOf(root), nil) {
			if !covered[typ] {
				t.Errorf("no schema node is compared with %s", typ)
			}
		}
	}
}

// An object's properties with omitempty are optional, the others required.
func TestRequiredFieldsAreThoseThatAreAlwaysWritten(t *testing.T) {
	seen := 0
	for _, d := range described {
		if len(d.pointers) != 1 {
			continue // an allow rule and a deny rule share a type
		}
		typ := reflect.TypeOf(d.value)
		for _, n := range schemaNodes(t, d.schema) {
			if n.pointer != d.pointers[0] {
				continue
			}
			seen++
			var want []string
			required, _ := n.schema["required"].([]any)
			for _, v := range required {
				want = append(want, v.(string))
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, alwaysWritten(typ)); diff != "" {
				t.Errorf("%s, required fields (-schema +type):\n%s", typ, diff)
			}
		}
	}
	if seen == 0 {
		t.Error("nothing compared")
	}
}

func schemaNodes(t *testing.T, name string) []node {
	t.Helper()
	text, err := schemas.SchemaJSON(name)
	if err != nil {
		t.Fatal(err)
	}
	return nodes("", decode(t, text))
}

func jsonFields(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func alwaysWritten(typ reflect.Type) []string {
	var names []string
	for i := range typ.NumField() {
		name, options, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if !strings.Contains(options, "omitempty") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// structs lists the struct types that typ holds, itself first.
func structs(typ reflect.Type, seen []reflect.Type) []reflect.Type {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return structs(typ.Elem(), seen)
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() || slices.Contains(seen, typ) {
			return seen
		}
		seen = append(seen, typ)
		for i := range typ.NumField() {
			seen = structs(typ.Field(i).Type, seen)
		}
	}
	return seen
}

// The codes that schemas list are those of the table.
func TestSchemasListEveryCode(t *testing.T) {
	var want []string
	for _, info := range schemas.Codes() {
		want = append(want, string(info.Code))
	}
	seen := 0
	for _, name := range schemas.SchemaNames() {
		for _, n := range schemaNodes(t, name) {
			if !strings.HasSuffix(n.pointer, "/$defs/code/anyOf/0") {
				continue
			}
			seen++
			var got []string
			for _, v := range n.schema["enum"].([]any) {
				got = append(got, v.(string))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s#%s (-table +schema):\n%s", name, n.pointer, diff)
			}
		}
	}
	if seen < 2 {
		t.Errorf("saw the list %d times, want at least 2", seen)
	}
}
