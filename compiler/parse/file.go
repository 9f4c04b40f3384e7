// Package parse is the one place where policy files are read: YAML becomes
// documents whose every value has a position, and everything wrong with a file
// is said at once.
package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// MaxSize bounds a file, in bytes: room for ten thousand rules.
const MaxSize = 2 << 20

const (
	maxDocuments = 1000 // of one file
	maxFindings  = 200  // that are reported of one file
)

// File reads the documents of one file. A document with errors is left out of
// the result; its neighbours are not, nor is one in which only patterns are
// malformed, so that package check can say what else is wrong with it. File never panics, expands no alias and
// works in time and memory linear in the size of data.
func File(name string, data []byte) ([]*Document, []diag.Diagnostic) {
	docs, ds := Lenient(name, data)
	return slices.DeleteFunc(docs, (*Document).Partial), ds
}

// Lenient is File with the documents that break their schema, less what breaks it,
// where anything of them can be read: for lint, which names every mistake at once.
// Nothing may be compiled from such a document.
func Lenient(name string, data []byte) ([]*Document, []diag.Diagnostic) {
	if d := checkText(name, data); d != nil {
		return nil, []diag.Diagnostic{*d}
	}
	docs, ds := documents(name, data)
	if len(docs) == 0 && len(ds) == 0 {
		ds = append(ds, diag.New("OSP1012", start(name), "the file holds no document", "begin with `apiVersion: "+schemas.APIVersion+"` and `kind: SandboxPolicy`"))
	}
	diag.Sort(ds)
	return docs, bounded(ds)
}

func documents(name string, data []byte) (docs []*Document, ds []diag.Diagnostic) {
	src := newSource(data)
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for range maxDocuments {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			return docs, ds
		}
		if err != nil {
			return docs, append(ds, syntaxError(name, data, err))
		}
		doc, found := document(name, &n)
		ds = append(ds, found...)
		if doc != nil {
			doc.text, doc.src = section(data, doc.root.Line), src
			docs = append(docs, doc)
		}
	}
	return docs, append(ds, diag.New("OSP1011", start(name), fmt.Sprintf("the file holds %d documents or more", maxDocuments), "split it"))
}

// bounded keeps a file of another kind from drowning the terminal.
func bounded(ds []diag.Diagnostic) []diag.Diagnostic {
	if len(ds) <= maxFindings {
		return ds
	}
	more := ds[maxFindings]
	more.Message, more.Hint, more.Width, more.Related = fmt.Sprintf("and %d more findings in this file", len(ds)-maxFindings), "mend the first ones", 0, nil
	return append(ds[:maxFindings:maxFindings], more)
}

func start(name string) diag.Position { return diag.Position{File: name, Line: 1, Col: 1} }

// section returns the lines between the document markers around a line.
func section(data []byte, line int) []byte {
	from, at, number := 0, 0, 1
	for at < len(data) {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if isMarker(data[at:end]) {
			if number > line {
				return data[from:at]
			}
			from = at
			if number < line {
				from = end
			}
		}
		at = end
		number++
	}
	return data[from:]
}

func isMarker(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("---")) && !bytes.HasPrefix(line, []byte("...")) {
		return false
	}
	return len(line) == 3 || bytes.IndexByte([]byte(" \t\r\n"), line[3]) >= 0
}
