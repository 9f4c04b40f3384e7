package mutate

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/parse"
)

// edit replaces bytes of the file.
type edit struct {
	start, end int
	text       string
}

// writer finds the edits that turn one tree of values into another.
type writer struct {
	doc   *parse.Document
	edits []edit
}

func (w *writer) apply(data []byte) []byte {
	slices.SortStableFunc(w.edits, func(a, b edit) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at := 0
	for _, e := range w.edits {
		if e.start < at {
			return nil // they overlap; the text is then not the mutant's
		}
		out = append(append(out, data[at:e.start]...), e.text...)
		at = e.end
	}
	return append(out, data[at:]...)
}

func (w *writer) replace(start, end int, text string) bool {
	w.edits = append(w.edits, edit{start, end, text})
	return true
}

func (w *writer) diff(path []any, before, after any) bool {
	if reflect.DeepEqual(before, after) {
		return true
	}
	switch before := before.(type) {
	case map[string]any:
		if after, ok := after.(map[string]any); ok {
			return w.mapping(path, before, after)
		}
	case []any:
		if after, ok := after.([]any); ok {
			return w.list(path, before, after)
		}
	default:
		start, end, ok := w.doc.Span(path...)
		return ok && w.replace(start, end, scalar(after, w.doc.Data()[start] == '"'))
	}
	return false
}

func (w *writer) mapping(path []any, before, after map[string]any) bool {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		at := append(slices.Clone(path), key)
		if key == "match" && !w.exists(at) {
			at = path // the short form of a query
		}
		ok := false
		if value, kept := after[key]; kept {
			ok = w.diff(at, before[key], value)
		} else {
			ok = w.cut(at, len(before) == 1)
		}
		if !ok {
			return false
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, old := before[key]; !old && !w.insertField(path, key, after[key]) {
			return false
		}
	}
	return true
}

func (w *writer) exists(path []any) bool {
	_, _, ok := w.doc.KeySpan(path...)
	return ok
}

func (w *writer) list(path []any, before, after []any) bool {
	switch {
	case len(after) == len(before):
		for i := range before {
			if !w.diff(append(slices.Clone(path), i), before[i], after[i]) {
				return false
			}
		}
		return true
	case len(after) > len(before) && reflect.DeepEqual(after[:len(before)], before):
		return w.insertItems(path, len(before), after[len(before):])
	case len(after)+1 == len(before):
		for i := range before {
			if reflect.DeepEqual(append(slices.Clone(before[:i]), before[i+1:]...), after) {
				return w.cut(append(slices.Clone(path), i), len(before) == 1)
			}
		}
	}
	return false
}

// cut takes an entry out, with the comments in it. The only one of a collection
// leaves an empty collection behind.
func (w *writer) cut(path []any, only bool) bool {
	parent := path[:len(path)-1]
	if only {
		empty := "{}"
		if _, ok := path[len(path)-1].(int); ok {
			empty = "[]"
		}
		return w.empty(parent, empty)
	}
	if start, end, ok := w.doc.EntrySpan(path...); ok {
		return w.replace(start, end, "")
	}
	start, end, ok := w.lines(path)
	return ok && w.replace(start, end, "")
}

// empty writes a collection as an empty one.
func (w *writer) empty(path []any, text string) bool {
	start := w.valueOffset(path)
	if start < 0 {
		return false
	}
	if strings.IndexByte("[{", w.doc.Data()[start]) >= 0 {
		end := w.flowEnd(start)
		return end > start && w.replace(start, end, text)
	}
	_, after, ok := w.doc.KeySpan(path...)
	_, end, okLines := w.lines(path)
	if !ok || !okLines {
		return false
	}
	return w.replace(after, end, ": "+text+"\n")
}
