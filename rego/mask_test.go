package rego_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/schemas"
)

// masked loads a bundle with mask modules beside its policies.
func masked(t *testing.T, modules ...string) (*rego.Generation, error) {
	t.Helper()
	a, err := archive.Read(compiled(t, map[string]string{"a": `{network: {outbound: [{host: a.example.com}]}}`}))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range modules {
		a.Files = append(a.Files, archive.File{Name: "openshell/mask/" + string(rune('a'+i)) + ".rego", Data: []byte(text)})
	}
	return rego.New(rego.Options{}).LoadArchive(a)
}

func sample() *schemas.Record {
	return &schemas.Record{
		DecisionID: "d", Timestamp: time.Unix(0, 0),
		Input: &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Policy: "a", Sandbox: schemas.Sandbox{ID: "sb-a1b2c3", Agent: "claude"},
			Network: &schemas.NetworkInput{Host: "a.example.com", Method: "GET", Port: 443, Path: "/users/alice/keys", Query: map[string][]string{}},
		},
		Result: &schemas.Decision{Allow: true, Code: schemas.CodeAllowed, Policy: "a"},
	}
}

func TestMasks(t *testing.T) {
	g, err := masked(t, `package system.log

mask contains "/input/network/query" if input.input.network.host == "a.example.com"

mask contains {"op": "upsert", "path": "/input/network/path", "value": "/users/x"} if startswith(input.input.network.path, "/users/")
`, `package system.log

mask contains "/input/file/path" if input.input.kind == "file"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []schemas.MaskOp{
		{Op: "remove", Path: "/input/network/query"},
		{Op: "upsert", Path: "/input/network/path", Value: "/users/x"},
	}
	got, err := g.Masks(context.Background(), sample())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	// The generation is what the log masks by.
	r := sample()
	if err := audit.MaskRecord(context.Background(), r, g); err != nil || r.Input.Network.Path != "/users/x" || r.Input.Network.Folded.Path != "/users/x" {
		t.Errorf("%v: %+v", err, r.Input.Network)
	}
}

func TestNoMasks(t *testing.T) {
	g, err := masked(t)
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]*rego.Generation{"none": g, "nil": nil} {
		if ops, err := g.Masks(context.Background(), sample()); ops != nil || err != nil {
			t.Errorf("%s: %v, %v", name, ops, err)
		}
	}
	g, err = masked(t, "package system.log\n\nhelper := 1\n")
	if err != nil {
		t.Fatal(err)
	}
	if ops, err := g.Masks(context.Background(), sample()); len(ops) > 0 || err != nil {
		t.Errorf("rules without mask: %v, %v", ops, err)
	}
}

func TestMasksThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"package": "package system.logs\n\nmask contains \"/input/x\"\n",
		"drop":    "package system.log\n\ndrop if input.result.allow\n",
		"syntax":  "package system.log\n\nmask contains\n",
		"http":    "package system.log\n\nmask contains x if x := http.send({\"method\": \"get\", \"url\": \"https://example.com\"}).body\n",
		"time":    "package system.log\n\nmask contains x if x := sprintf(\"%d\", [time.now_ns()])\n",
	} {
		if _, err := masked(t, text); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

func TestMasksThatFail(t *testing.T) {
	for name, rule := range map[string]string{
		"no set":          `mask := 7`,
		"built-in error":  `mask contains x if x := sprintf("%d", [to_number(input.input.network.path)])`,
		"neither":         `mask contains 7`,
		"without a path":  `mask contains {"op": "remove"}`,
		"does not end":    `mask contains x if { some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == -1; x := "/input/x" }`,
		"a path no text":  `mask contains {"op": "remove", "path": 7}`,
		"wrong operation": `mask contains {"op": "drop", "path": "/input/network/path"}`,
	} {
		t.Run(name, func(t *testing.T) {
			g, err := masked(t, "package system.log\n\n"+rule+"\n")
			if err != nil {
				t.Fatal(err)
			}
			r := sample()
			if err := audit.MaskRecord(context.Background(), r, g); err == nil || !strings.HasPrefix(err.Error(), "mask rules: ") {
				t.Errorf("got %v", err)
			}
			if r.Input.Network.Path != "" || r.Input.Network.Host != "a.example.com" || len(r.Erased) == 0 {
				t.Errorf("it failed open: %+v, erased %q", r.Input.Network, r.Erased)
			}
		})
	}
}
