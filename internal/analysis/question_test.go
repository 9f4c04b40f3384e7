package analysis_test

import (
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

func TestAsk(t *testing.T) {
	result := policyset.Compile(policyset.Library(), compiler.Options{})
	g, err := rego.New(rego.Options{}).Load(result.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	get := func(url string) analysis.Question {
		return analysis.Question{Policy: "github-readonly", Request: &schemas.TestRequest{Method: "GET", URL: url}}
	}
	tests := []struct {
		name     string
		question analysis.Question
		code     schemas.Code // "" if it cannot be asked
		inputs   int
	}{
		{"a request", get("https://github.com/x"), schemas.CodeAllowed, 1},
		{"read in two ways", get("https://github.com/a//b"), schemas.CodeAllowed, 2},
		{"malformed", get("https://github.com/%00"), schemas.CodeBadRequest, 0},
		{"a host with a user", get("https://github.com@example.com/"), schemas.CodeBadRequest, 0},
		{"no URL", get("github.com/x"), "", 0},
		{"an unknown policy", analysis.Question{Policy: "none", File: "read /x"}, schemas.CodeNoPolicy, 1},
		{"a file", analysis.Question{Policy: "full-dev", File: " write  /usr/x"}, schemas.CodeNotWritable, 1},
		{"two files", analysis.Question{Policy: "full-dev", File: "rename /tmp/a /tmp/b"}, schemas.CodeAllowed, 1},
		{"a relative path", analysis.Question{Policy: "full-dev", File: "read ../x"}, schemas.CodeBadRequest, 0},
		{"an unknown operation", analysis.Question{Policy: "full-dev", File: "scribble /x"}, "", 0},
		{"no path", analysis.Question{Policy: "full-dev", File: "read "}, "", 0},
		{"a command", analysis.Question{Policy: "full-dev", Command: "rm -rf /"}, schemas.CodeBlockedCommand, 1},
		{"broken shell text", analysis.Question{Policy: "full-dev", Command: "git '"}, schemas.CodeBadRequest, 0},
		{"nothing", analysis.Question{Policy: "full-dev"}, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, err := analysis.Ask(t.Context(), g, test.question)
			if (err != nil) != (test.code == "") {
				t.Fatalf("error %v, want code %q", err, test.code)
			}
			if a.Decision.Code != test.code || len(a.Inputs) != test.inputs {
				t.Errorf("%q on %d inputs, want %q on %d", a.Decision.Code, len(a.Inputs), test.code, test.inputs)
			}
		})
	}
}
