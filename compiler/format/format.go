package format

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// RefusedError says why a text cannot be formatted although it can be read.
type RefusedError struct {
	File   string
	Line   int // 0 if no line is to blame
	Reason string
}

// Error names the place and the reason.
func (e *RefusedError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Source returns the canonical form of a file. Where the file cannot be read the
// findings say why, and there is no text. A RefusedError is returned where the
// text could be read and its form not be proven to mean the same.
func Source(file string, data []byte) ([]byte, []diag.Diagnostic, error) {
	docs, ds := parse.File(file, data)
	if diag.HasErrors(ds) || len(docs) == 0 {
		return nil, ds, nil
	}
	text, err := source(file, data, docs)
	if err != nil {
		return nil, nil, err
	}
	if bytes.Contains(data, []byte("\r\n")) {
		text = bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
	}
	return text, nil, same(file, data, text, docs)
}

func source(file string, data []byte, docs []*parse.Document) ([]byte, error) {
	sections, err := sectionsOf(file, data)
	if err != nil {
		return nil, err
	}
	var out strings.Builder
	next := 0
	for i, s := range sections {
		if i > 0 {
			out.WriteString("---\n")
		}
		if next < len(docs) && s.holds(docs[next].Root().Line) {
			text, err := document(docs[next], s)
			if err != nil {
				return nil, err
			}
			out.WriteString(text)
			next++
			continue
		}
		for _, line := range s.loose(data) {
			out.WriteString(line + "\n")
		}
	}
	if next != len(docs) {
		return nil, &RefusedError{file, 0, "the documents of the file cannot be told apart"}
	}
	return []byte(out.String()), nil
}

// same proves that two texts mean the same, and that no comment is lost.
func same(file string, before, after []byte, docs []*parse.Document) error {
	again, ds := parse.File(file, after)
	if diag.HasErrors(ds) || len(again) != len(docs) {
		return &RefusedError{file, 0, "what it would be formatted to cannot be read: please report this"}
	}
	for i, d := range docs {
		if !reflect.DeepEqual(content(d), content(again[i])) {
			return &RefusedError{file, d.Root().Line, "what it would be formatted to means something else: please report this"}
		}
	}
	was, is := commentTexts(docs, before), commentTexts(again, after)
	slices.Sort(was)
	slices.Sort(is)
	if !slices.Equal(was, is) {
		return &RefusedError{file, 0, "a comment would be lost: please report this"}
	}
	return nil
}

// content is what a document says, whatever its kind: its exported fields.
func content(d *parse.Document) []any {
	var out []any
	v := reflect.ValueOf(*d)
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			out = append(out, v.Field(i).Interface())
		}
	}
	return out
}

func commentTexts(docs []*parse.Document, data []byte) []string {
	var out []string
	for _, c := range parse.Comments(docs, data) {
		out = append(out, c.Text)
	}
	return out
}
