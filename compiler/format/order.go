package format

import (
	"reflect"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/schemas"
)

// order lists the fields of the mapping at a path in the order of the schema; nil
// where a mapping's keys are the author's.
func order(kind string, path []string) []string {
	t := reflect.TypeFor[schemas.SandboxPolicy]()
	switch kind {
	case schemas.KindPolicyTest:
		t = reflect.TypeFor[schemas.PolicyTest]()
	case schemas.KindPolicyInvariants:
		t = reflect.TypeFor[schemas.PolicyInvariants]()
	}
	for _, step := range path {
		t = elem(t)
		switch {
		case t.Kind() == reflect.Slice && step == "":
			t = t.Elem()
		case t.Kind() == reflect.Map && step != "":
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			f, ok := field(t, step)
			if !ok {
				return nil
			}
			t = f
		default:
			return nil
		}
	}
	if t = elem(t); t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		out = append(out, jsonName(t.Field(i)))
	}
	return out
}

func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func field(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == name {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// sorted returns the entries of a mapping in canonical order; those whose field is
// not known stay behind, in theirs.
func sorted(v *value, kind string) []*entry {
	names := order(kind, v.path)
	if names == nil || v.entries[0].key == nil {
		return v.entries
	}
	rank := func(e *entry) int {
		if i := slices.Index(names, e.key.Value); i >= 0 {
			return i
		}
		return len(names)
	}
	out := slices.Clone(v.entries)
	slices.SortStableFunc(out, func(a, b *entry) int { return rank(a) - rank(b) })
	return out
}
