package compiler_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/rego"
)

func compileModules(modules ...string) *compiler.Result {
	sources := []compiler.Source{{Name: "p.yaml", Data: []byte(strings.Replace(head, "NAME", "p", 1) + "spec: {}\n")}}
	for i, text := range modules {
		sources = append(sources, compiler.Source{Name: "m" + string(rune('0'+i)) + ".rego", Data: []byte(text)})
	}
	return compiler.Compile(sources, compiler.Options{Rego: rego.Library()})
}

// Every code of Rego beside policies has an example that triggers it, and a near miss
// that the engine takes.
func TestExtensionCodes(t *testing.T) {
	seen := 0
	for _, info := range diag.Codes() {
		if info.Part != diag.PartBundle || info.Bad == "" {
			continue
		}
		seen++
		if r := compileModules(info.Bad); !has(r.Diagnostics, info.Code) || diag.HasErrors(r.Diagnostics) != (info.Severity == diag.Error) {
			t.Errorf("%s is not triggered by\n%s\nbut: %v", info.Code, info.Bad, r.Diagnostics)
		} else {
			checkDiagnostics(t, r)
		}
		r := compileModules(info.Good)
		if len(r.Diagnostics) != 0 || r.Bundle == nil {
			t.Errorf("%s: the near miss\n%s\ngives %v", info.Code, info.Good, r.Diagnostics)
			continue
		}
		if _, err := rego.New(rego.Options{}).Load(r.Bundle); err != nil {
			t.Errorf("%s: the engine refuses the near miss: %v", info.Code, err)
		}
	}
	if seen < 6 {
		t.Errorf("saw %d codes", seen)
	}
}

const denyX = `deny contains {"code": "x", "message": "y"} if `

// What an extension may not do is found, each with its code.
func TestWhatExtensionsMayNot(t *testing.T) {
	const pkg = "package openshell.extension.x\n\n"
	for text, code := range map[string]string{
		pkg + denyX + "http.send({}).status_code == 200\n":                     "OSP5033",
		pkg + denyX + "time.now_ns() > 0\n":                                    "OSP5033",
		pkg + denyX + "rand.intn(\"x\", 2) == 1\n":                             "OSP5033",
		pkg + denyX + "opa.runtime().env.HOME == \"/root\"\n":                  "OSP5033",
		pkg + denyX + "data.openshell.index.p\n":                               "OSP5033",
		pkg + denyX + "data.system.bundles\n":                                  "OSP5033",
		pkg + denyX + "count(data) > 0\n":                                      "OSP5033",
		pkg + denyX + "{\n\tsome k\n\tdata[k]\n}\n":                            "OSP5033",
		pkg + "import data.openshell.policies as ps\n\n" + denyX + "ps.p\n":    "OSP5033",
		pkg + denyX + "input.kind == 7\n":                                      "OSP5033",
		pkg + denyX + "input.network.hst == \"a\"\n":                           "OSP5033",
		pkg + denyX + "{\n\tx := 1\n\tinput.kind == \"network\"\n}\n":          "OSP5033", // strict: unused
		pkg + "deny := true\n":                                                 "OSP5032",
		pkg + "deny.x contains 1\n":                                            "OSP5032",
		pkg + "deny contains \"no\"\n":                                         "OSP5032",
		pkg + "deny contains {\"code\": input.kind, \"message\": \"y\"}\n":     "OSP5032",
		pkg + "deny contains {\"code\": \"Not A Word\", \"message\": \"y\"}\n": "OSP5032",
		pkg + "deny contains {\"code\": \"x\"}\n":                              "OSP5032",
		pkg + "default deny := {{\"code\": \"x\", \"message\": \"y\"}}\n":      "OSP5032",
		"package openshell\n\ndecision := {\"allow\": true}\n":                 "OSP5031",
		"package openshell.extension\n\nx := 1\n":                              "OSP5031",
		"package openshell.extension.x.y\n\nx := 1\n":                          "OSP5031",
		"package openshell.extension[\"X Y\"]\n\nx := 1\n":                     "OSP5031",
		"# nothing\n": "OSP5030",
		"package openshell.extension.x\n\nimport rego.v1\n\nallow if {\n":                         "OSP5030",
		"package system.log\n\nmask contains \"/input/sandbox/id\"\n":                             "OSP5035",
		"package system.log\n\nmask contains {\"op\": \"remove\", \"path\": \"/input/policy\"}\n": "OSP5035",
	} {
		if r := compileModules(text); !has(r.Diagnostics, code) || r.Bundle != nil {
			t.Errorf("%s\ngot %v, want %s", text, r.Diagnostics, code)
		}
	}
}

// Mask rules may hide values, also by others that look like pointers.
func TestMaskRules(t *testing.T) {
	r := compileModules("package system.log\n\nmask contains {\"op\": \"upsert\", \"path\": \"/input/network/path\", \"value\": \"/users/…\"}\n")
	if len(r.Diagnostics) != 0 || r.Bundle == nil {
		t.Error(r.Diagnostics)
	}
}

// The shipped extensions compile beside the ready-made policies without a finding.
func TestShippedExtensions(t *testing.T) {
	files, err := filepath.Glob("../policies/extensions/*.rego")
	if err != nil || len(files) < 4 {
		t.Fatalf("found %q, %v", files, err)
	}
	sources := []compiler.Source{source(t, "full-dev.yaml")}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, compiler.Source{Name: filepath.Base(f), Data: text})
	}
	r := compiler.Compile(sources, compiler.Options{Rego: rego.Library()})
	if len(r.Diagnostics) != 0 || r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	g, err := rego.New(rego.Options{}).Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Manifest().Metadata.Extensions; !slices.Equal(got, []string{"agents", "uploads"}) {
		t.Errorf("got extensions %q", got)
	}
}
