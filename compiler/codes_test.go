package compiler_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/rego"
)

// tooLong triggers the codes whose example cannot be shown.
var tooLong = map[string]func() *compiler.Result{
	"OSP1011": func() *compiler.Result { return compileText(strings.Repeat("#", parse.MaxSize+1)) },
	"OSP1099": func() *compiler.Result {
		good, _ := diag.Lookup("OSP1099")
		return compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(good.Good)}}, compiler.Options{})
	},
}

func compileText(text string) *compiler.Result {
	return compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library()})
}

// Every code of the compiler has an example that triggers it, and a near miss that compiles.
func TestCodes(t *testing.T) {
	seen := 0
	for _, info := range diag.Codes() {
		if info.Part != diag.PartCompile {
			continue
		}
		seen++
		bad := compileText
		if make := tooLong[info.Code]; make != nil {
			bad = func(string) *compiler.Result { return make() }
		} else if info.Bad == "" {
			t.Errorf("%s: nothing triggers it", info.Code)
			continue
		}
		if r := bad(info.Bad); !has(r.Diagnostics, info.Code) || diag.HasErrors(r.Diagnostics) != (info.Severity == diag.Error) {
			t.Errorf("%s is not triggered by\n%s\nbut: %v", info.Code, info.Bad, r.Diagnostics)
		}
		if r := compileText(info.Good); len(r.Diagnostics) != 0 || r.Bundle == nil {
			t.Errorf("%s: the near miss\n%s\ngives %v", info.Code, info.Good, r.Diagnostics)
		}
	}
	if seen == 0 {
		t.Error("there are no codes")
	}
}

func has(ds []diag.Diagnostic, code string) bool {
	for _, d := range ds {
		if d.Code == code {
			return true
		}
	}
	return false
}
