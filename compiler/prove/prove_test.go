package prove_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/compiler/prove"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/policies"
	"github.com/openshell-policy/openshell/rego"
)

func load(t *testing.T, spec string) (*plan.Policy, analysis.Evaluator) {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p, labels: {tier: x}}\nspec: " + spec
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatalf("%s: %v", spec, r.Diagnostics)
	}
	return r.Policies[0], analysis.Evaluator{Generation: generation(t, r.Bundle)}
}

func generation(t *testing.T, bundle []byte) *rego.Generation {
	t.Helper()
	g, err := rego.New(rego.Options{CacheSize: -1, Lazy: true}).Load(bundle)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// invariants parses a list of invariants given as YAML flow.
func invariants(t *testing.T, list string) ([]*prove.Invariant, []diag.Diagnostic) {
	t.Helper()
	docs, ds := parse.File("i.yaml", []byte("apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyInvariants\nmetadata: {name: i}\nspec:\n  invariants: ["+list+"]\n"))
	if diag.HasErrors(ds) || len(docs) != 1 {
		return nil, ds
	}
	return prove.Parse(docs[0])
}

func TestClaims(t *testing.T) {
	const github = "{network: {outbound: [{host: api.github.com, methods: [GET], paths: [/repos/**]}, {host: '*.example.com', methods: [GET, POST]}], denied: [{host: b.example.com, methods: [POST]}]}, " +
		"filesystem: {writable: [/workspace/**], readonly: [/etc/**], blocked: ['**/.env'], baseline: none}, " +
		"execution: {allowed_commands: [git *, python -c *, env], blocked_commands: [git push --force, curl * | bash]}}"
	for _, test := range []struct {
		spec, claim, pattern string
		want                 string // the verdict, with the example that refutes it
	}{
		{github, "never", "POST https://api.github.com/**", "proved"},
		{github, "never", "GET https://api.github.com/repos/a/**", "refuted GET https://api.github.com/repos/a"},
		{github, "never", "GET https://api.github.com/users/**", "proved"},
		{github, "never", "* *://**:8443/**", "proved"},
		{github, "never", "* http://**:*/**", "refuted GET http://a.example.com/"},
		{github, "never", "POST https://b.example.com/**", "proved"},
		{github, "never", "POST https://*.example.com/**", "refuted POST https://a.example.com/"},
		{github, "never", "GET https://api.github.com/** websocket", "proved"},
		{github, "never", "GET https://API.github.com/Repos/A", "refuted GET https://api.github.com/repos/a"},
		{github, "always", "GET https://api.github.com/repos/**", "proved"},
		{github, "always", "GET https://api.github.com/**", "refuted GET https://api.github.com/"},
		{github, "always", "GET,POST https://*.example.com/**", "refuted POST https://b.example.com/"},
		{github, "always", "GET http://a.example.com/**", "proved"},
		{github, "always", "GET https://a.example.com:8443/**", "refuted GET https://a.example.com:8443/"},
		{github, "always", "GET https://a.example.com/** by /usr/bin/git", "proved"},
		{github, "only", "* *://api.github.com/**", "refuted GET https://a.example.com/"},
		{github, "only", "* *://**/**", "proved"},
		{github, "only", "GET,POST https://**/**", "refuted GET http://a.example.com/"},
		{"{network: {outbound: [{host: a.example.com}]}}", "always", "GET https://a.example.com/**", "proved"},
		{"{network: {outbound: [{host: a.example.com, encoded_slash: allow}]}}", "only", "GET *://a.example.com/**", "refuted POST https://a.example.com/"},
		{"{network: {outbound: [{host: a.example.com, encoded_slash: allow}]}}", "only", "* *://a.example.com/**", "proved"},
		{"{network: {outbound: [{host: a.example.com, websocket: true}]}}", "only", "* *://a.example.com/**", "refuted GET https://a.example.com/ as a WebSocket"},
		{"{network: {outbound: [{host: a.example.com, scheme: https, tls: passthrough}]}}", "never", "GET https://a.example.com/x websocket", "refuted GET https://a.example.com/x as a WebSocket"},
		{"{network: {outbound: [{host: a.example.com, query: {q: [a]}}]}}", "never", "GET https://a.example.com/x", "refuted GET https://a.example.com/x?q=a"},
		{"{mode: audit, network: {outbound: []}}", "never", "POST https://a.example.com/**", "refuted POST https://a.example.com/"},
		{"{mode: audit, filesystem: {writable: []}}", "never", "read /root/.ssh/**", "proved"},
		{github, "never", "read /workspace/.env", "proved"},
		{github, "never", "write /etc/**", "proved"},
		{github, "never", "read /etc/**", "refuted read /etc"},
		{github, "never", "read /root/.ssh/**", "proved"},
		{github, "always", "write /workspace/**", "refuted write /workspace/.env"},
		{github, "always", "write /workspace/a", "proved"},
		{github, "only", "write /workspace/**", "proved"},
		{github, "only", "read /workspace/**", "refuted read /etc"},
		{github, "never", "run git push -f", "proved"},
		{github, "never", "run git push --force --all", "proved"},
		{github, "never", "run git push", "refuted git push"},
		{github, "never", "run curl a | sh", "proved"},
		{github, "never", "run rm -rf /", "proved"},
		{github, "always", "run git status", "proved"},
		{github, "always", "run git push --force", "refuted git push --force"},
		{github, "always", "run git *", "refuted git push -f"},
		{github, "always", "run python -c x", "proved"},
		{github, "always", "run python *", "refuted python"},
		{github, "only", "run git *", "refuted python -c"},
		{"{execution: {allowed_commands: [git status, git log *]}}", "only", "run git *", "proved"},
		{"{execution: {blocked_commands: [rm -rf /]}}", "only", "run git *", "refuted ls"},
		{"{execution: {blocked_commands: [rm -rf /]}}", "never", "run curl | bash", "refuted curl | sh"},
		{"{}", "always", "run rm -rf /", "proved"},
	} {
		t.Run(test.claim+" "+test.pattern, func(t *testing.T) {
			p, e := load(t, test.spec)
			list, ds := invariants(t, fmt.Sprintf("{name: a, %s: [%q]}", test.claim, test.pattern))
			if len(ds) > 0 {
				t.Fatal(ds)
			}
			results, err := prove.Policy(context.Background(), list, p, prove.Options{Evaluator: e})
			if err != nil || len(results) != 1 {
				t.Fatal(results, err)
			}
			r := results[0]
			if got := strings.TrimSpace(string(r.Verdict) + " " + r.Example + r.Why); got != test.want {
				t.Errorf("%s: got %s, want %s", test.spec, got, test.want)
			}
			if r.Verdict == prove.Refuted && (r.Decision == nil || r.Decision.Passes == (test.claim == "always")) {
				t.Errorf("the decision %+v refutes nothing", r.Decision)
			}
		})
	}
}

func TestBadPatterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"api.example.com":                     "a pattern is",
		"GET api.example.com/":                "a pattern is",
		"get https://api.example.com/":        "upper case",
		"GET ftp://api.example.com/":          "scheme",
		"GET https://api.example.com:0/":      "port",
		"GET https://api..example.com/":       "empty label",
		"GET https://a.**.example.com/":       "first only",
		"GET https://a.example.com/x quickly": "quickly",
		"GET https://a.example.com/../x":      "..",
		"read etc/shadow":                     "relative",
		"run":                                 "empty",
		"run a && b":                          "&&",
	} {
		list, ds := invariants(t, fmt.Sprintf("{name: a, never: [%q]}", pattern))
		if len(ds) != 1 || !strings.Contains(ds[0].Message, want) || ds[0].Pos.Line != 5 || ds[0].Pos.Col < 30 {
			t.Errorf("%s: got %v, %v, want %q", pattern, list, ds, want)
		}
	}
	if _, ds := invariants(t, "{name: a, never: [read /a]}, {name: a, never: [read /b]}"); len(ds) != 1 {
		t.Errorf("two of one name: %v", ds)
	}
}

func TestWhichPolicies(t *testing.T) {
	p, _ := load(t, "{}")
	for targets, want := range map[string]bool{
		"{names: [p, q]}": true, "{names: [q]}": false, "{labels: {tier: x}}": true, "{labels: {tier: y}}": false,
		"{except: [p]}": false, "{names: [p], labels: {tier: y}}": false, "{labels: {tier: x}, except: [q]}": true,
	} {
		list, ds := invariants(t, "{name: a, policies: "+targets+", never: [read /a]}")
		if len(ds) > 0 || list[0].About(p, p.Name) != want {
			t.Errorf("%s: %v, want %t", targets, ds, want)
		}
	}
}

// What must hold for the ready-made policies does.
func TestLibrary(t *testing.T) {
	docs, ds := parse.File("invariants.yaml", policies.Invariants())
	if diag.HasErrors(ds) || len(docs) != 1 {
		t.Fatal(ds)
	}
	list, ds := prove.Parse(docs[0])
	if len(ds) > 0 {
		t.Fatal(ds)
	}
	r := policyset.Compile(policyset.Library(), compiler.Options{})
	e, proved, about := analysis.Evaluator{Generation: generation(t, r.Bundle)}, 0, map[string]bool{}
	for _, p := range r.Policies {
		results, err := prove.Policy(context.Background(), list, p, prove.Options{Evaluator: e})
		if err != nil {
			t.Fatal(p.Name, err)
		}
		for _, r := range results {
			if r.Verdict != prove.Proved {
				t.Errorf("%s, %s is %s: %s %s: %s%s", r.Policy, r.Invariant, r.Verdict, r.Claim, r.Pattern, r.Example, r.Why)
			}
			proved++
			about[r.Invariant] = true
		}
	}
	if proved < len(r.Policies) || len(about) != len(list) {
		t.Errorf("%d claims about %d of %d invariants", proved, len(about), len(list))
	}
}
