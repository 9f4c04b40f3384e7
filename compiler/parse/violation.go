package parse

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/schemas"
)

// validate turns what the schema says into findings with positions.
func (d *Document) validate(value any) []diag.Diagnostic {
	var ds []diag.Diagnostic
	for _, v := range schemas.Validate(d.Kind, value) {
		ds = append(ds, d.violation(v))
	}
	return ds
}

func (d *Document) violation(v schemas.Violation) diag.Diagnostic {
	key, node := find(d.root, v.Path)
	last := ""
	if len(v.Path) > 0 {
		last, _ = v.Path[len(v.Path)-1].(string)
	}
	code := "OSP1009"
	switch {
	case v.Keyword == "required":
		code = "OSP1008"
	case len(v.Path) > 1 && v.Path[len(v.Path)-2] == "methods":
		code = "OSP1010"
	case key != nil && key.Value == last && (v.Keyword == "additionalProperties" || v.Keyword == "unevaluatedProperties" || v.Keyword == "not"):
		code = "OSP1007"
		node = key
	}
	pos := diag.Position{File: d.File, Line: node.Line, Col: node.Column}
	message := v.Message
	if field := where(v.Path); field != "" && code != "OSP1007" {
		message = field + ": " + message
	}
	out := diag.New(code, pos, message, d.hint(code, v, node.Value))
	out.Width = utf8.RuneCountInString(node.Value)
	return out
}

// hint says what to type instead.
func (d *Document) hint(code string, v schemas.Violation, written string) string {
	switch {
	case code == "OSP1010" && written != strings.ToUpper(written):
		return "write " + strings.ToUpper(written)
	case code == "OSP1008" && len(v.Allowed) > 0:
		return "add " + strings.Join(v.Allowed, " or ")
	case len(v.Allowed) > 0:
		return suggest(written, v.Allowed, "%s")
	case strings.Contains(v.Message, "want text") || strings.Contains(v.Message, "want a string"):
		return fmt.Sprintf("quote it: %q", written)
	}
	return "openshell-policy schema " + d.Kind + " describes every field"
}

// where names the field of a violation as people write it: spec.network.outbound[0].host.
func where(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}

// suggest names the closest of the allowed words, or all of them.
func suggest(written string, allowed []string, format string) string {
	best, distance := "", len(written)/3+2
	for _, a := range allowed {
		if n := edits(strings.ToLower(written), strings.ToLower(a)); n < distance {
			best, distance = a, n
		}
	}
	if best != "" {
		return "did you mean " + fmt.Sprintf(format, best) + "?"
	}
	shown := make([]string, len(allowed))
	for i, a := range allowed {
		shown[i] = fmt.Sprintf(format, a)
	}
	return "one of " + strings.Join(shown, ", ")
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
