package schemas

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// flattener turns the validator's tree of errors into violations: its leaves,
// with one for each choice that failed.
type flattener struct {
	raw map[string]map[string]any // schema documents by URL
	doc any                       // what was validated
	out []Violation
}

func (f *flattener) walk(e *jsonschema.ValidationError) {
	parent, keyword := f.locate(e)
	switch {
	case keyword == "oneOf" || keyword == "anyOf":
		f.choice(e, parent)
	case len(e.Causes) == 0:
		f.leaf(e, parent, keyword)
	default:
		for _, cause := range e.Causes {
			f.walk(cause)
		}
	}
}

// locate returns the schema that holds the failed keyword, and the keyword. For
// a schema that is false, these are what holds the schema, and its name.
func (f *flattener) locate(e *jsonschema.ValidationError) (map[string]any, string) {
	file, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	tokens := splitPointer(pointer)
	if len(tokens) == 0 {
		return f.raw[file], ""
	}
	_, parent := follow(f.raw[file], joinPointer(tokens[:len(tokens)-1]))
	schema, _ := parent.(map[string]any)
	return schema, tokens[len(tokens)-1]
}

func joinPointer(tokens []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25")
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString("/" + escape.Replace(token))
	}
	return b.String()
}

// choice reports the branch that the value was meant for: the only one of its
// type, else the one with the fewest complaints.
func (f *flattener) choice(e *jsonschema.ValidationError, parent map[string]any) {
	path, value := follow(f.doc, e.InstanceLocation)
	if message := text(parent["errorMessage"]); message != "" {
		f.add(path, "oneOf", message, nil)
		return
	}
	var best []Violation
	var wanted []string
	for _, cause := range e.Causes {
		branch := &flattener{raw: f.raw, doc: f.doc}
		branch.walk(cause)
		if len(branch.out) == 1 && branch.out[0].Keyword == "type" && len(branch.out[0].Path) == len(path) {
			wanted = append(wanted, branch.out[0].Allowed...)
			continue
		}
		if best == nil || len(branch.out) < len(best) {
			best = branch.out
		}
	}
	if best == nil {
		f.wrongType(path, value, wanted)
		return
	}
	f.out = append(f.out, best...)
}

func (f *flattener) leaf(e *jsonschema.ValidationError, parent map[string]any, keyword string) {
	path, value := follow(f.doc, e.InstanceLocation)
	switch keyword {
	case "additionalProperties":
		f.unknownFields(path, value, parent)
	case "required":
		f.missingFields(path, value, parent)
	case "type":
		f.wrongType(path, value, []string{text(parent["type"])})
	case "enum", "const":
		f.wrongValue(path, value, parent, keyword)
	default:
		if e.Message == "not allowed" {
			f.forbiddenField(path, e)
			return
		}
		f.add(path, keyword, describe(keyword, value, parent), nil)
	}
}

func (f *flattener) add(path []any, keyword, message string, allowed []string) {
	f.out = append(f.out, Violation{Path: path, Keyword: keyword, Message: message, Allowed: allowed})
}

func (f *flattener) unknownFields(path []any, value any, schema map[string]any) {
	known, _ := schema["properties"].(map[string]any)
	forbidden, _ := schema["x-forbidden"].(map[string]any)
	m, _ := value.(map[string]any)
	for _, field := range sortedKeys(m) {
		if _, ok := known[field]; ok {
			continue
		}
		at := append(slices.Clone(path), field)
		if why, ok := forbidden[field]; ok {
			f.add(at, "additionalProperties", fmt.Sprintf("field %q %s", field, why), nil)
			continue
		}
		f.add(at, "additionalProperties", fmt.Sprintf("unknown field %q", clip(field)), sortedKeys(known))
	}
}

func (f *flattener) missingFields(path []any, value any, schema map[string]any) {
	m, _ := value.(map[string]any)
	required, _ := schema["required"].([]any)
	for _, field := range required {
		if _, ok := m[text(field)]; !ok {
			f.add(path, "required", fmt.Sprintf("missing field %q", field), nil)
		}
	}
}

// forbiddenField reports a property whose schema is false; the schema around it
// says why.
func (f *flattener) forbiddenField(path []any, e *jsonschema.ValidationError) {
	file, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	tokens := splitPointer(pointer)
	_, around := follow(f.raw[file], joinPointer(tokens[:max(0, len(tokens)-2)]))
	schema, _ := around.(map[string]any)
	field := ""
	if len(path) > 0 {
		field = fmt.Sprint(path[len(path)-1])
	}
	message := strings.TrimSpace(fmt.Sprintf("field %q is not allowed %s", field, text(schema["errorMessage"])))
	f.add(path, "properties", message, nil)
}

func (f *flattener) wrongType(path []any, value any, types []string) {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = typeWord(t)
	}
	f.add(path, "type", fmt.Sprintf("want %s, got %s", join(words, "or"), valueWord(value)), types)
}

func (f *flattener) wrongValue(path []any, value any, schema map[string]any, keyword string) {
	values, _ := schema["enum"].([]any)
	if keyword == "const" {
		values = []any{schema["const"]}
	}
	allowed := make([]string, len(values))
	for i, v := range values {
		allowed[i] = fmt.Sprint(v)
	}
	message := fmt.Sprintf("%s is not %s", show(value), join(allowed, "or"))
	if len(allowed) > 8 {
		message = fmt.Sprintf("%s is not one of the %d values that are known", show(value), len(allowed))
	}
	f.add(path, keyword, message, allowed)
}

// describe words the keywords that look at one value alone.
func describe(keyword string, value any, schema map[string]any) string {
	switch keyword {
	case "pattern":
		return fmt.Sprintf("%s is %s", show(value), orElse(text(schema["patternErrorMessage"]), "not of the expected form"))
	case "not":
		return fmt.Sprintf("%s %s", show(value), orElse(text(schema["errorMessage"]), "is not allowed"))
	case "minItems":
		return "the list must not be empty"
	case "minProperties":
		return "the mapping must not be empty"
	case "minLength":
		return "the text must not be empty"
	case "maxLength":
		return fmt.Sprintf("%s is longer than %v characters", show(value), schema["maxLength"])
	case "minimum", "maximum":
		return outOfRange(value, schema)
	case "format":
		return fmt.Sprintf("%s is not a %s", show(value), text(schema["format"]))
	default:
		return fmt.Sprintf("%s breaks the schema's %q", show(value), keyword)
	}
}

func outOfRange(value any, schema map[string]any) string {
	low, hasLow := schema["minimum"]
	high, hasHigh := schema["maximum"]
	switch {
	case hasLow && hasHigh:
		return fmt.Sprintf("%v is not between %v and %v", value, low, high)
	case hasLow:
		return fmt.Sprintf("%v is less than %v", value, low)
	default:
		return fmt.Sprintf("%v is more than %v", value, high)
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// show quotes a value for a message, clipped.
func show(value any) string {
	if s, ok := value.(string); ok {
		return strconv.Quote(clip(s))
	}
	return clip(fmt.Sprint(value))
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:57]) + "..."
	}
	return s
}

// join writes "a", "a or b", "a, b or c".
func join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
