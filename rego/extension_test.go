package rego_test

import (
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// extended compiles a policy with modules beside it.
func extended(t testing.TB, spec string, modules map[string]string) []byte {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: a}\nspec: " + spec + "\n"
	sources := []compiler.Source{{Name: "a.yaml", Data: []byte(text)}}
	for name, m := range modules {
		sources = append(sources, compiler.Source{Name: name, Data: []byte(m)})
	}
	r := compiler.Compile(sources, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatalf("got diagnostics %v, want a bundle", r.Diagnostics)
	}
	return r.Bundle
}

func generation(t testing.TB, bundle []byte) *rego.Generation {
	t.Helper()
	g, err := rego.New(rego.Options{}).Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const uploads = `package openshell.extension.uploads

deny contains {"code": "too_large", "message": message} if {
	input.kind == "network"
	input.network.content_length > 10
	message := sprintf("%d is more than 10", [input.network.content_length])
}

deny contains {"code": "agent", "message": "other may not"} if input.sandbox.agent == "other"
`

func upload(t testing.TB, size int64, agent string) *schemas.DecisionInput {
	in := get(t, "a", "https://a.example.com/")
	in.Network.ContentLength, in.Sandbox = size, schemas.Sandbox{ID: "sb-1", Agent: agent}
	return in
}

// An extension denies what the policy allows, by what decisions else do not depend
// on, and never the other way round.
func TestExtensionsDeny(t *testing.T) {
	g := generation(t, extended(t, allowA, map[string]string{"ext/uploads.rego": uploads}))
	for range 2 { // the second time from the cache
		for name, c := range map[string]struct {
			in         *schemas.DecisionInput
			code, rule string
		}{
			"small":      {upload(t, 10, "claude"), "allowed", "outbound[0]"},
			"large":      {upload(t, 11, "claude"), "ext_uploads_too_large", "extension.uploads"},
			"by another": {upload(t, 1, "other"), "ext_uploads_agent", "extension.uploads"},
			"both":       {upload(t, 11, "other"), "ext_uploads_agent", "extension.uploads"},
		} {
			d := g.Decide(t.Context(), c.in)
			if string(d.Code) != c.code || d.Rule != c.rule || d.Allow != (c.code == "allowed") || d.Revision == "" {
				t.Errorf("%s: got %+v", name, d)
			}
			if !d.Allow && (d.Source == nil || d.Source.File != "ext/uploads.rego" || d.Source.Line != 1 || d.Mode != schemas.ModeEnforce) {
				t.Errorf("%s: got %+v", name, d)
			}
		}
	}
	other := upload(t, 1, "claude")
	other.Network.Host, other.Network.Authority = "b.example.com", "b.example.com"
	if d := g.Decide(t.Context(), other); d.Code != schemas.CodeHostNotInPolicy {
		t.Errorf("what the policy denies: %+v", d)
	}
}

// Commands and files are asked about too.
func TestExtensionsSeeEveryKind(t *testing.T) {
	g := generation(t, extended(t, `{}`, map[string]string{"x.rego": `package openshell.extension.x

deny contains {"code": "file", "message": "no"} if input.file.path == "/workspace/no"

deny contains {"code": "exec", "message": "no"} if {
	some command in input.exec.commands
	command.named == "curl"
}
`}))
	f, err := canon.ParseFile("write /workspace/no")
	if err != nil {
		t.Fatal(err)
	}
	file := &schemas.DecisionInput{Kind: schemas.KindFile, Policy: "a", File: f}
	if d := g.Decide(t.Context(), file); d.Code != "ext_x_file" {
		t.Errorf("got %+v", d)
	}
	if d := g.Decide(t.Context(), command(t, "a", "ls; curl x")); d.Code != "ext_x_exec" {
		t.Errorf("got %+v", d)
	}
	if d := g.Decide(t.Context(), command(t, "a", "ls")); !d.Allow {
		t.Errorf("got %+v", d)
	}
}

// Under mode audit an extension's denial is let through as a deny rule's is, and what
// fails never is.
func TestExtensionsUnderAudit(t *testing.T) {
	spec := `{mode: audit, network: {outbound: [{host: a.example.com}]}}`
	g := generation(t, extended(t, spec, map[string]string{"u.rego": uploads}))
	if d := g.Decide(t.Context(), upload(t, 11, "claude")); d.Allow || d.Mode != schemas.ModeAudit || !d.Passes() || d.Code != "ext_uploads_too_large" {
		t.Errorf("got %+v", d)
	}
	other := upload(t, 11, "claude")
	other.Network.Host, other.Network.Authority = "b.example.com", "b.example.com"
	if d := g.Decide(t.Context(), other); d.Code != schemas.CodeHostNotInPolicy || !d.Passes() {
		t.Errorf("the policy's reason is kept: %+v", d)
	}
	// One rule under audit in a policy that enforces: the extension enforces.
	g = generation(t, extended(t, `{network: {outbound: [{host: a.example.com, methods: [PUT], mode: audit}]}}`, map[string]string{"u.rego": uploads}))
	if d := g.Decide(t.Context(), upload(t, 1, "claude")); d.Allow || !d.Passes() {
		t.Errorf("the rule alone: %+v", d)
	}
	if d := g.Decide(t.Context(), upload(t, 11, "claude")); d.Passes() || d.Code != "ext_uploads_too_large" {
		t.Errorf("with the extension: %+v", d)
	}
}

// Whatever goes wrong in an extension denies: an error, an element that is not as it
// should be, and one that takes too long.
func TestExtensionsFailClosed(t *testing.T) {
	for name, body := range map[string]string{
		"an error": `deny contains {"code": "x", "message": "y"} if 1 / input.network.content_length == 7
`,
		"a message that is no text": `deny contains {"code": "x", "message": input.network.content_length}
`,
		"too long": `deny contains {"code": "x", "message": "y"} if {
	some i in numbers.range(0, 4000)
	some j in numbers.range(0, 4000)
	i * j == input.network.content_length - 1
}
`,
	} {
		t.Run(name, func(t *testing.T) {
			g := generation(t, extended(t, allowA, map[string]string{"x.rego": "package openshell.extension.x\n\n" + body}))
			d := g.Decide(t.Context(), upload(t, 0, "claude"))
			if d.Allow || d.Passes() || d.Code != schemas.CodePolicyError {
				t.Errorf("got %+v", d)
			}
		})
	}
}

// A bundle that somebody else built cannot hold an extension that ours could not.
func TestForeignExtensionsAreRefused(t *testing.T) {
	good := extended(t, allowA, map[string]string{"u.rego": uploads})
	const pkg = "package openshell.extension.uploads\n\n"
	for name, text := range map[string]string{
		"reaches out":         pkg + `deny contains {"code": "x", "message": "y"} if http.send({"method": "GET", "url": "http://a"})`,
		"reads the clock":     pkg + `deny contains {"code": "x", "message": "y"} if time.now_ns() > 0`,
		"reads data":          pkg + `deny contains {"code": "x", "message": "y"} if data.openshell.index`,
		"reads all data":      pkg + `deny contains {"code": "x", "message": "y"} if count(data) > 0`,
		"reads by import":     pkg + "import data.openshell.index as i\n\n" + `deny contains {"code": "x", "message": "y"} if i.a`,
		"denies with a value": pkg + `deny := true`,
		"computes the code":   pkg + `deny contains {"code": input.kind, "message": "y"}`,
		"is the library":      "package openshell\n\ndecision := {\"allow\": true}",
		"is a policy":         "package openshell.policies.a.network\n\nhit contains 0",
		"is deeper":           "package openshell.extension.a.b\n\nx := 1",
		"has a strange name":  "package openshell.extension[\"A B\"]\n\nx := 1",
		"is no Rego":          "package",
	} {
		a, err := archive.Read(good)
		if err != nil {
			t.Fatal(err)
		}
		for i := range a.Files {
			if strings.HasPrefix(a.Files[i].Name, "openshell/extensions/") {
				a.Files[i].Data = []byte(text)
			}
		}
		if _, err := rego.New(rego.Options{}).LoadArchive(a); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}
