package schemas

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Violation is one way in which a document breaks its schema.
type Violation struct {
	// Path leads to the offending value: string keys and int indexes. An unknown
	// or forbidden field is its own path; a missing one is the path of the
	// mapping that lacks it.
	Path []any
	// Keyword is the JSON Schema keyword that failed, such as "required".
	Keyword string
	// Message is a short sentence without a full stop, such as
	// `"get" is not an upper-case method`.
	Message string
	// Allowed holds the field names or values that would do, sorted as the
	// schema lists values and by alphabet for fields.
	Allowed []string
}

// Validate checks a decoded document (map[string]any, []any, string, bool,
// numbers, nil) against one of SchemaNames and returns what is wrong with it, sorted by
// path. It never panics, whatever doc holds.
func Validate(name string, doc any) []Violation {
	compile, ok := compiledSchemas[name]
	if !ok {
		return []Violation{{Keyword: "$schema", Message: fmt.Sprintf("no schema named %q", name), Allowed: SchemaNames()}}
	}
	compiled, err := compile()
	if err != nil {
		return []Violation{{Keyword: "$schema", Message: err.Error()}}
	}
	if v := checkData(doc, nil); v != nil {
		return []Violation{*v}
	}
	err = compiled.schema.Validate(doc)
	var failed *jsonschema.ValidationError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &failed):
		return []Violation{{Keyword: "type", Message: err.Error()}}
	}
	f := &flattener{raw: compiled.raw, doc: doc}
	f.walk(failed)
	return sortViolations(withoutTypes(f.out))
}

// maxDepth bounds the nesting of documents; nothing here nests deeper than 10.
const maxDepth = 64

// checkData finds the first value that JSON cannot hold, which the validator
// would not survive.
func checkData(v any, path []any) *Violation {
	if len(path) > maxDepth {
		return &Violation{Path: path[:1], Keyword: "type", Message: fmt.Sprintf("nested more than %d levels deep", maxDepth)}
	}
	switch v := v.(type) {
	case nil, bool, string, int, int8, int32, int64, uint, uint8, uint32, uint64:
		return nil
	case float64:
		return checkNumber(v, path)
	case float32:
		return checkNumber(float64(v), path)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			f = math.NaN()
		}
		return checkNumber(f, path)
	case []any:
		return checkList(v, path)
	case map[string]any:
		return checkMapping(v, path)
	default:
		return &Violation{Path: slices.Clone(path), Keyword: "type", Message: fmt.Sprintf("want a value that JSON has, got a %T", v)}
	}
}

func checkNumber(f float64, path []any) *Violation {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return &Violation{Path: slices.Clone(path), Keyword: "type", Message: "the number is not finite or too large"}
	}
	return nil
}

func checkList(list []any, path []any) *Violation {
	for i, item := range list {
		if bad := checkData(item, append(path, i)); bad != nil {
			return bad
		}
	}
	return nil
}

func checkMapping(m map[string]any, path []any) *Violation {
	for _, key := range sortedKeys(m) {
		if bad := checkData(m[key], append(path, key)); bad != nil {
			return bad
		}
	}
	return nil
}

// withoutTypes drops the type names that the flattener keeps in Allowed: they
// are no values.
func withoutTypes(vs []Violation) []Violation {
	for i := range vs {
		if vs[i].Keyword == "type" {
			vs[i].Allowed = nil
		}
	}
	return vs
}

func sortViolations(vs []Violation) []Violation {
	slices.SortStableFunc(vs, func(a, b Violation) int {
		return cmp.Or(slices.CompareFunc(a.Path, b.Path, compareStep), cmp.Compare(a.Keyword, b.Keyword), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(vs, func(a, b Violation) bool {
		return slices.Equal(a.Path, b.Path) && a.Message == b.Message
	})
}

func compareStep(a, b any) int {
	i, aInt := a.(int)
	j, bInt := b.(int)
	if aInt && bInt {
		return cmp.Compare(i, j)
	}
	return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

// follow resolves a JSON pointer of the validator in doc. It returns the path
// as far as it exists and the value there.
func follow(doc any, pointer string) ([]any, any) {
	var path []any
	for _, token := range splitPointer(pointer) {
		switch v := doc.(type) {
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return path, doc
			}
			path, doc = append(path, i), v[i]
		case map[string]any:
			path, doc = append(path, token), v[token]
		default:
			return path, doc
		}
	}
	return path, doc
}

func splitPointer(pointer string) []string {
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i, token := range tokens {
		if plain, err := url.PathUnescape(token); err == nil {
			token = plain
		}
		tokens[i] = unescape.Replace(token)
	}
	return tokens
}
