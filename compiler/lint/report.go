package lint

import (
	"fmt"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// policyCheck looks at one policy, testCheck at one test.
type policyCheck struct {
	code string
	run  func(*policy, *reporter)
}

type testCheck struct {
	code string
	run  func(*set, *parse.Document, *reporter)
}

// reporter makes the findings of one check in one document.
type reporter struct {
	code string
	doc  *parse.Document
	out  *[]*diag.Diagnostic
}

// at reports at a value, underlined where it is a scalar. What it returns may be
// added to.
func (r *reporter) at(path []any, hint, format string, args ...any) *diag.Diagnostic {
	d := diag.New(r.code, r.doc.Pos(path...), fmt.Sprintf(format, args...), hint)
	if start, end, ok := r.doc.Span(path...); ok {
		d.Width = utf8.RuneCount(r.doc.Data()[start:end])
	}
	*r.out = append(*r.out, &d)
	return &d
}

// key reports at the key of a value.
func (r *reporter) key(path []any, hint, format string, args ...any) *diag.Diagnostic {
	d := r.at(path, hint, format, args...)
	d.Pos, d.Width = r.doc.KeyPos(path...), 0
	if name, ok := path[len(path)-1].(string); ok {
		d.Width = utf8.RuneCountInString(name)
	}
	return d
}

// replace adds the fix that writes another scalar in a value's place.
func (r *reporter) replace(d *diag.Diagnostic, safe bool, text string, path ...any) {
	start, end, ok := r.doc.Span(path...)
	if !ok {
		return
	}
	text = quoteLike(string(r.doc.Data()[start:end]), text)
	d.Fixes = append(d.Fixes, diag.Fix{
		Title: "write " + text, Safe: safe,
		Edits: []diag.Edit{{File: r.doc.File, Start: start, End: end, New: text}},
	})
}

// remove adds the fix that takes an entry out of its list, or a field out.
func (r *reporter) remove(d *diag.Diagnostic, safe bool, path ...any) {
	start, end, ok := r.doc.EntrySpan(path...)
	if !ok {
		return
	}
	d.Fixes = append(d.Fixes, diag.Fix{
		Title: "remove it", Safe: safe,
		Edits: []diag.Edit{{File: r.doc.File, Start: start, End: end}},
	})
}

func related(d *diag.Diagnostic, pos diag.Position, message string) {
	d.Related = append(d.Related, diag.Related{Pos: pos, Message: message})
}
