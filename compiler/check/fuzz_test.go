package check_test

import (
	"encoding/json"
	"testing"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
)

// FuzzPatterns holds that no host, path or command pattern makes check panic, and
// that a policy has a plan exactly if nothing is wrong with it.
func FuzzPatterns(f *testing.F) {
	for _, seed := range [][3]string{
		{"*.example.com", "/a/**", "git *"},
		{"**.a.*.b", "**/.env", "rm -rf / | sh"},
		{"[2001:db8::1]:443", `/\[`, `echo "a\"b" 'c'`},
		{"0x7f.1", "/a/[!b-c]?", "@coreutils"},
		{"Bücher.example.", "/%2F", "a && b > c"},
		{"a..b", "/a//", "docker -H x * rm --"},
		{"*-[a-z].example.co.uk", "../x", "curl -o * -- $(x)"},
		{`\*.example.com`, "**", "|"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, host, path, command string) {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "openshell.nvidia.com/v1alpha1", "kind": "SandboxPolicy", "metadata": map[string]any{"name": "x"},
			"spec": map[string]any{
				"network": map[string]any{
					"outbound": []any{map[string]any{"host": host, "tls": "passthrough"}, map[string]any{"host": "*.example.com", "paths": []any{path}}},
					"denied":   []any{map[string]any{"host": host, "query": map[string]any{"q": []any{command}}}},
				},
				"filesystem": map[string]any{"blocked": []any{path}},
				"execution":  map[string]any{"allowed_commands": []any{command}, "blocked_commands": []any{command}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		docs, found := parse.File("p", text)
		plans, ds := check.Policies(docs, nil)
		if len(docs) == 1 && len(found) == 0 && (len(plans) == 1) == diag.HasErrors(ds) {
			t.Errorf("%d plans and %v", len(plans), ds)
		}
		for _, d := range ds {
			if d.Pos.Line != 1 || d.Pos.Col < 1 || d.Pos.Col > len(text)+1 || d.Hint == "" || d.Message == "" {
				t.Errorf("%s %q at %v, hint %q", d.Code, d.Message, d.Pos, d.Hint)
			}
		}
	})
}
