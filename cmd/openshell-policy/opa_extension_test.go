package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

// Stock OPA hears the extensions as the engine does.
func TestStockOPAHearsExtensions(t *testing.T) {
	opa, dir := stockOPA(t), t.TempDir()
	policy, bundle := filepath.Join(dir, "p.yaml"), filepath.Join(dir, "bundle.tar.gz")
	const head = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: a.example.com}]}, mode: "
	for _, mode := range []string{"enforce", "audit"} {
		if err := os.WriteFile(policy, []byte(head+mode+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, _, stderr := call("compile", policy, policiesDir+"/extensions", "-o", bundle); status != cli.ExitOK || len(stderr) == 0 {
			t.Fatalf("compile ended with %d: %s", status, stderr)
		}
		g, err := rego.New(rego.Options{}).Load(read(t, bundle))
		if err != nil {
			t.Fatal(err)
		}
		var inputs []schemas.DecisionInput
		var ours []schemas.Decision
		codes := map[schemas.Code]bool{}
		for _, url := range []string{"https://a.example.com/", "https://b.example.com/"} {
			for _, size := range []int64{0, 10485760, 10485761} {
				for _, agent := range []string{"claude", "other", ""} {
					in := request(t, url)
					in.Network.ContentLength, in.Sandbox = size, schemas.Sandbox{ID: "sb-a1b2c3", Agent: agent}
					d := g.Decide(t.Context(), in)
					inputs, ours, codes[d.Code] = append(inputs, *in), append(ours, d), true
				}
			}
		}
		for i, theirs := range decideAll(t, opa, bundle, inputs) {
			if diff := cmp.Diff(ours[i], theirs); diff != "" {
				t.Errorf("%s, %+v: ours (-) OPA's (+):\n%s", mode, inputs[i], diff)
			}
		}
		if len(codes) < 4 {
			t.Errorf("%s: decided by %v", mode, codes)
		}
	}
}
