// Package parse is the one place where policy files are read: YAML becomes
// documents whose every value has a position, and everything wrong with a file
// is said at once.
package parse

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"

	"github.com/openshell-policy/openshell/compiler/diag"
)

// MaxSize bounds a file, in bytes.
const MaxSize = 1 << 20

// maxDocuments bounds the documents of one file.
const maxDocuments = 1000

// File reads the documents of one file. A document with errors is left out of
// the result; its neighbours are not.
func File(name string, data []byte) ([]*Document, []diag.Diagnostic) {
	if d := checkText(name, data); d != nil {
		return nil, []diag.Diagnostic{*d}
	}
	var docs []*Document
	var ds []diag.Diagnostic
	dec := yaml.NewDecoder(bytes.NewReader(data))
	seen := 0
	for ; seen <= maxDocuments; seen++ {
		var n yaml.Node
		err := dec.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			ds = append(ds, syntaxError(name, data, err))
			break
		}
		doc, found := document(name, &n)
		ds = append(ds, found...)
		if doc != nil {
			docs = append(docs, doc)
		}
	}
	if seen > maxDocuments {
		ds = append(ds, diag.New("OSP1001", start(name), fmt.Sprintf("the file holds more than %d documents", maxDocuments), "split it"))
	}
	if len(docs) == 0 && len(ds) == 0 {
		ds = append(ds, diag.New("OSP1001", start(name), "the file holds no document", "begin with `apiVersion: openshell.nvidia.com/v1alpha1` and `kind: SandboxPolicy`"))
	}
	diag.Sort(ds)
	return docs, ds
}

func start(name string) diag.Position { return diag.Position{File: name, Line: 1, Col: 1} }

// checkText refuses what no policy is, before YAML looks at it.
func checkText(name string, data []byte) *diag.Diagnostic {
	if len(data) > MaxSize {
		d := diag.New("OSP1001", start(name), fmt.Sprintf("the file has %d bytes; a policy file has at most %d", len(data), MaxSize), "split it, or check that the right file was named")
		return &d
	}
	line, col := 1, 1
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f {
			d := diag.New("OSP1001", diag.Position{File: name, Line: line, Col: col}, fmt.Sprintf("byte 0x%02x is not text", data[i]), "save the file as UTF-8 text, or check that the right file was named")
			return &d
		}
		i += n
		col++
		if r == '\n' {
			line, col = line+1, 1
		}
	}
	return nil
}

// syntaxError puts a YAML error where it begins, in words that say what to do.
func syntaxError(name string, data []byte, err error) diag.Diagnostic {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return diag.New("OSP1002", start(name), strings.TrimPrefix(err.Error(), "yaml: "), "")
	}
	if strings.Contains(load.Message, "exceeded max depth") || strings.Contains(load.Message, "depth") {
		return diag.New("OSP1005", at(name, data, load.Mark.Line, load.Mark.Column), "the document is nested too deeply", "flatten it: no policy needs more than a few levels")
	}
	code := "OSP1002"
	if strings.Contains(load.Message, "anchor") {
		code = "OSP1003"
	}
	line, col := load.Mark.Line, load.Mark.Column
	if load.ContextMark.Line > 0 {
		line, col = load.ContextMark.Line, load.ContextMark.Column
	}
	message := load.Message
	if load.ContextMsg != "" {
		message = load.ContextMsg + ": " + message
	}
	return diag.New(code, at(name, data, line, col), message, syntaxHint(load.Message, code))
}

// at keeps a position inside the file: YAML reports the end as a line of its own.
func at(name string, data []byte, line, col int) diag.Position {
	last := bytes.Count(data, []byte("\n")) + 1
	if bytes.HasSuffix(data, []byte("\n")) && last > 1 {
		last--
	}
	if line > last {
		line, col = last, 1
	}
	return diag.Position{File: name, Line: max(line, 1), Col: max(col, 1)}
}

func syntaxHint(message, code string) string {
	switch {
	case code == "OSP1003":
		return "write the value out where it is used"
	case strings.Contains(message, "mapping values are not allowed"):
		return "quote the text if it holds a colon, or begin a new line"
	case strings.Contains(message, "cannot start any token"):
		return "indent with spaces, not tabs; quote text that begins with @, ` or %"
	case strings.Contains(message, "unexpected end of stream"):
		return "close the quote or bracket that is opened here"
	case strings.Contains(message, "did not find expected"):
		return "check the indentation and the brackets from here on"
	}
	return "check the line's indentation, quotes and brackets"
}
