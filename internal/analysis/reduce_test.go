package analysis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/internal/analysis"
)

// Rules for other hosts are left out while a mutant is judged, and nothing changes
// by it: wildcards, deny rules with paths (which keep encoded slashes out), moved
// and widened rules are judged as with all of them.
func TestMutateWithManyHosts(t *testing.T) {
	var rules, cases strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rules, "      - {name: r%d, host: h%d.example.com, scheme: https, methods: [GET], paths: [/v/**]}\n", i, i)
		fmt.Fprintf(&cases, "    - {request: GET https://h%d.example.com/v/a/b, expect: allow, rule: r%d}\n", i, i)
	}
	policy := policyHead + rules.String() + `      - {name: wide, host: "*.example.com", scheme: https, methods: [POST]}
      - {name: packages, host: packages.example.org, scheme: https, methods: [GET]}
    denied:
      - {name: secret, host: "**.example.com", paths: [/secret/**]}
`
	test := testHead + cases.String() + `    - {request: POST https://h7.example.com/x, expect: allow, rule: wide}
    - {request: POST https://h7.example.com/secret/x, expect: deny, code: denied_rule}
    - {request: GET https://h7.example.com/w, expect: deny, code: path_not_allowed}
    - {request: GET https://packages.example.org/a%2Fb, expect: allow, rule: packages}
    - {request: GET https://other.example.com/v/a, expect: deny, code: method_not_allowed}
`
	got := fates(t, map[string]string{"p.yaml": policy, "t_test.yaml": test}, "t_test.yaml")
	fate := map[string]analysis.Fate{}
	for f, list := range got {
		for _, m := range list {
			fate[m] = f
		}
	}
	for mutant, want := range map[string]analysis.Fate{
		"base drop r3 h3.example.com":                                          analysis.Killed,
		"base move r3 h3.example.com to denied":                                analysis.Killed,
		"base widen r7 host: h7.example.com becomes *.example.com":             analysis.Killed,   // other.example.com, and r8 decides later
		"base widen r29 host: h29.example.com becomes *.example.com":           analysis.Killed,   // by other.example.com
		"base widen r3 paths: /v/** becomes /**":                               analysis.Survived, // no case asks h3 for another path
		"base widen r7 paths: /v/** becomes /**":                               analysis.Killed,
		"base drop secret **.example.com":                                      analysis.Killed,
		"base move secret **.example.com to outbound":                          analysis.Killed,
		"base narrow secret host: **.example.com becomes *.example.com":        analysis.Equivalent, // nothing below is allowed
		"base widen packages host: packages.example.org becomes *.example.org": analysis.Survived,
		"base narrow packages paths: any becomes /*":                           analysis.Killed, // it no longer takes an encoded slash
		"base drop wide *.example.com":                                         analysis.Killed,
	} {
		if fate[mutant] != want {
			t.Errorf("%s: %q, want %s", mutant, fate[mutant], want)
		}
	}
}

const policyHead = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: base}
spec:
  network:
    outbound:
`

const testHead = `apiVersion: openshell.nvidia.com/v1alpha1
kind: PolicyTest
metadata: {name: t}
spec:
  policies: [p.yaml]
  policy: base
  cases:
`

// Extensions deny beside the rules, by the name of the policy, too; mutants are
// judged with them.
func TestMutateWithExtensions(t *testing.T) {
	policy := policyHead + "      - {host: a.example.com, scheme: https, methods: [GET], paths: [/v/**]}\n"
	test := strings.Replace(testHead, "[p.yaml]", "[.]", 1) + `    - {request: GET https://a.example.com/v/a/b, expect: allow}
    - {request: GET https://a.example.com/v/b, expect: deny, code: ext_ours_no_b}
    - {request: POST https://a.example.com/v/c, expect: deny}
    - {request: GET https://a.example.com/w, expect: deny}
`
	const extension = `package openshell.extension.ours

deny contains {"code": "no_b", "message": "no b"} if {
	input.policy == "base"
	input.network.path == "/v/b"
}

deny contains {"code": "no_post", "message": "no POST"} if {
	input.policy == "base"
	input.network.method == "POST"
}
`
	got := fates(t, map[string]string{"p.yaml": policy, "t_test.yaml": test, "ours.rego": extension}, "t_test.yaml")
	fate := map[string]analysis.Fate{}
	for f, list := range got {
		for _, m := range list {
			fate[m] = f
		}
	}
	for mutant, want := range map[string]analysis.Fate{
		"base drop outbound[0] a.example.com":                              analysis.Killed,
		"base widen outbound[0] methods: POST added":                       analysis.Survived, // the extension still denies
		"base widen outbound[0] paths: /v/** becomes /**":                  analysis.Killed,
		"base narrow outbound[0] paths: /v/** becomes /v/*":                analysis.Killed,
		"base move outbound[0] a.example.com to denied":                    analysis.Killed,
		"base widen outbound[0] host: a.example.com becomes *.example.com": analysis.Survived,
	} {
		if fate[mutant] != want {
			t.Errorf("%s: %q, want %s", mutant, fate[mutant], want)
		}
	}
}
