package audit_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// secrets holds one invented token of each kind, in the shape its service uses.
var secrets = []string{
	"ghp_" + strings.Repeat("a1", 18),
	"github_pat_" + strings.Repeat("b2", 20),
	"sk-" + strings.Repeat("c3", 16),
	"sk-ant-api03-" + strings.Repeat("d4", 16),
	"AKIA" + strings.Repeat("Z9", 8),
	"xoxb-" + strings.Repeat("12", 8),
	"glpat-" + strings.Repeat("e5", 10),
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
	"ost_" + strings.Repeat("f6", 16),
}

func TestMaskTakesSecretsOut(t *testing.T) {
	for _, s := range secrets {
		low := strings.ToLower(s)
		form := schemas.PathForm{Path: "/x/" + low, Dir: "/x/" + low + "/", Segments: []string{"x", low}}
		in := &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Network: &schemas.NetworkInput{
				Path: "/x/" + s, Dir: "/x/" + s + "/", Segments: []string{"x", s}, Folded: form, Split: form,
				Query: map[string][]string{"q": {s, "harmless"}, s: {"v"}},
			}, Exec: &schemas.ExecInput{Commands: []schemas.Command{{
				Args: []string{"-H", "Authorization: Bearer " + s},
				Line: "-H\x00" + s + "\x00", Operand: []string{s}, Options: []string{"--token=" + s},
			}}},
			File: &schemas.FileInput{Path: "/workspace/" + s, Lexical: "/workspace/" + s},
		}
		r := &schemas.Record{Input: in, Result: &schemas.Decision{Message: "/x/" + s + " matches no path"}}
		before, _ := json.Marshal(in)
		audit.Mask(r)
		after, _ := json.Marshal(in)
		if string(before) != string(after) {
			t.Error("the decided input was changed")
		}
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(string(line)), low) {
			t.Errorf("secret %q is still in %s", s, line)
		}
		if strings.Contains(string(line), "harmless") {
			t.Errorf("a query value is still in %s", line)
		}
		for _, p := range []string{"/input/network/path", "/input/network/query/q", "/result/message"} {
			if !slices.Contains(r.Masked, p) {
				t.Errorf("masked lacks %s: %q", p, r.Masked)
			}
		}
	}
}

func TestMaskLeavesOrdinaryText(t *testing.T) {
	for _, s := range []string{
		"/repos/org/task-list-for-everyone-here", "/risk-assessment-of-the-year-2026",
		"/asia/pacific", "/sk-8", "/keyjar/eyja", "/npm_modules",
	} {
		if got := audit.MaskText(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}
