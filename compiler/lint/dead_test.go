package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/lint"
)

func policyText(spec string) string {
	return "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\nspec:\n" + spec
}

func run(t *testing.T, text string) []diag.Diagnostic {
	t.Helper()
	return lint.Run([]lint.Source{{Name: "p.yaml", Data: []byte(text)}}, lint.Options{NoTests: true}).Diagnostics
}

// said lists the findings of some codes as "line code message".
func said(ds []diag.Diagnostic, codes ...string) []string {
	var out []string
	for _, d := range ds {
		if slices.Contains(codes, d.Code) {
			out = append(out, fmt.Sprintf("%d %s %s", d.Pos.Line, d.Code, d.Message))
		}
	}
	return out
}

// What is redundant is known exactly, whatever the text looks like.
func TestRedundant(t *testing.T) {
	tests := []struct {
		name, outbound string
		want           []string
	}{
		{"two together", `
      - {name: a, host: h.example.com, methods: [GET]}
      - {name: b, host: h.example.com, methods: [POST]}
      - {name: c, host: h.example.com, methods: [GET, POST], paths: [/x]}`, []string{"c: a and b together take"}},
		{"two paths together", `
      - {name: a, host: h.example.com, paths: ["/a/**"]}
      - {name: b, host: h.example.com, paths: ["/b/**"]}
      - {name: c, host: h.example.com, paths: [/a/x, /b/y]}`, []string{"c: a and b together take"}},
		{"almost together", `
      - {name: a, host: h.example.com, paths: ["/a/**"]}
      - {name: b, host: h.example.com, paths: ["/b/**"]}
      - {name: c, host: h.example.com, paths: [/a/x, /c/y]}`, nil},
		{"classes of characters", `
      - {name: a, host: h.example.com, paths: ["/[a-m]*"]}
      - {name: b, host: h.example.com, paths: ["/[n-z]*"]}
      - {name: c, host: h.example.com, paths: ["/[a-z]*"]}`, []string{"c: a and b together take"}},
		{"equal ones", `
      - {name: a, host: h.example.com, methods: [GET]}
      - {name: b, host: h.example.com, methods: [HEAD, GET]}`, []string{"b: a takes"}},
		{"spelt otherwise", `
      - {name: a, host: h.example.com, ports: [443, 80], methods: [GET], paths: ["/%61/*"]}
      - {name: b, host: h.example.com, methods: [GET], paths: [/a/x]}`, []string{"b: a takes"}},
		{"the first covers less", `
      - {name: a, host: h.example.com, methods: [GET], paths: [/a/x]}
      - {name: b, host: h.example.com, methods: [GET], paths: ["/a/**"]}`, []string{"a: b takes"}},
		{"another mode", `
      - {name: a, host: h.example.com, methods: [GET], mode: audit}
      - {name: b, host: h.example.com, methods: [GET]}`, nil},
		{"other private networks", `
      - {name: a, host: h.example.com, methods: [GET]}
      - {name: b, host: h.example.com, methods: [GET], allow_private: [10.1.0.0/16]}`, nil},
		{"another port", `
      - {name: a, host: h.example.com, methods: [GET]}
      - {name: b, host: h.example.com, methods: [GET], ports: [8443]}`, nil},
		{"a query", `
      - {name: a, host: h.example.com, methods: [GET], query: {q: [x]}}
      - {name: b, host: h.example.com, methods: [GET], query: {q: ["*"]}}`, []string{"a: b takes"}},
		{"encoded slashes", `
      - {name: a, host: h.example.com, methods: [GET], paths: ["/**"]}
      - {name: b, host: h.example.com, methods: [GET], paths: ["/**"], encoded_slash: allow}`, []string{"a: b takes"}},
		{"a WebSocket", `
      - {name: a, host: h.example.com, methods: [GET], paths: [/x]}
      - {name: b, host: h.example.com, methods: [GET], paths: [/x], websocket: true}`, []string{"a: b takes"}},
		{"a program", `
      - {name: a, host: h.example.com, methods: [GET], binaries: ["/usr/bin/*"]}
      - {name: b, host: h.example.com, methods: [GET], binaries: [/usr/bin/git, /opt/git]}`, nil},
		{"hosts", `
      - {name: a, host: "**.example.com", methods: [GET]}
      - {name: b, host: "*.a.example.com", methods: [GET]}
      - {name: c, host: "example.com", methods: [GET]}`, []string{"b: a takes"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, s := range said(run(t, policyText("  network:\n    outbound:"+test.outbound+"\n")), "OSP2101") {
				_, message, _ := strings.Cut(s, "OSP2101 ")
				id, _, _ := strings.Cut(message, " ")
				_, by, _ := strings.Cut(message, "it takes, ")
				got = append(got, id+": "+strings.TrimSuffix(by, " too"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOverriddenAndEmpty(t *testing.T) {
	tests := []struct {
		name, network string
		want          []string
	}{
		{
			"two deny rules together", `
    outbound: [{name: a, host: h.example.com, methods: [GET, POST]}]
    denied: [{name: b, host: h.example.com, methods: [GET]}, {name: c, host: h.example.com, methods: [POST]}]`,
			[]string{"6 OSP2102 a never allows anything: b and c together deny every request that it takes"},
		},
		{"a part of it", `
    outbound: [{name: a, host: h.example.com, methods: [GET, POST]}]
    denied: [{name: b, host: h.example.com, methods: [GET]}]`, nil},
		{
			"another case", `
    outbound: [{name: a, host: h.example.com, methods: [GET], paths: ["/Admin/x"]}]
    denied: [{name: b, host: h.example.com, paths: ["/admin/**"]}]`,
			[]string{"6 OSP2102 a never allows anything: b denies every request that it takes"},
		},
		{"a guard that takes nothing", `
    outbound: [{name: a, host: h.example.com, methods: [GET], paths: ["/a/**"]}]
    denied: [{name: b, host: h.example.com, paths: ["/b/**"]}]`, []string{"7 OSP2104 b denies nothing that the policy allows"}},
		{"a guard in another case", `
    outbound: [{name: a, host: h.example.com, methods: [GET], paths: ["/A/**"]}]
    denied: [{name: b, host: h.example.com, paths: ["/a/x"]}]`, nil},
		{"a guard by a query", `
    outbound: [{name: a, host: h.example.com, methods: [GET], query: {q: [x]}}]
    denied: [{name: b, host: h.example.com, query: {q: [y]}}]`, []string{"7 OSP2104 b denies nothing that the policy allows"}},
		{"a guard by a query that meets", `
    outbound: [{name: a, host: h.example.com, methods: [GET], query: {q: [x, "y*"]}}]
    denied: [{name: b, host: h.example.com, query: {q: [y]}}]`, nil},
		{"a label that no host has", `
    outbound: [{name: a, host: "*-.example.com", methods: [GET]}]`, []string{"6 OSP2103 a matches no request"}},
		{"a label that hosts have", `
    outbound: [{name: a, host: "*-a.example.com", methods: [GET]}]`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := said(run(t, policyText("  network:"+test.network+"\n")), "OSP2102", "OSP2103", "OSP2104")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Rules of a base count, and are reported where the policy repeats them.
func TestBasesCount(t *testing.T) {
	text := policyText("  extends: [base]\n  network: {outbound: [{host: h.example.com, methods: [GET]}]}\n") +
		"---\n" + strings.Replace(policyText("  network: {outbound: [{host: '*.example.com', methods: [GET]}]}\n"), "name: x", "name: base", 1)
	want := []string{"6 OSP2101 outbound[0] adds nothing: every request that it takes, base/outbound[0] takes too"}
	if diff := cmp.Diff(want, said(run(t, text), "OSP2101")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A policy that does not compile has the other findings all the same.
func TestPoliciesWithErrorsAreLinted(t *testing.T) {
	ds := run(t, policyText("  mode: audit\n  extends: [nowhere]\n  network: {outbound: [{host: '*.com'}, {host: '*.github.io', methods: [GET]}]}\n"))
	for _, code := range []string{"OSP2001", "OSP2006", "OSP3004", "OSP3001"} {
		if len(with(ds, code)) != 1 {
			t.Errorf("%s: got %v", code, with(ds, code))
		}
	}
}

// What looks like an ignore comment in a text is none.
func TestIgnore(t *testing.T) {
	tests := []struct{ name, spec, want string }{
		{"on its line", "  mode: audit # openshell-lint: ignore OSP3004 a trial\n", ""},
		{"above", "  # openshell-lint: ignore OSP3004 a trial\n\n  # more\n  mode: audit\n", ""},
		{"above a block", "  # openshell-lint: ignore OSP3004 a trial\n  network:\n    outbound:\n      - host: a.example.com\n        methods: [GET]\n        mode: audit\n", ""},
		{"not below the block", "  # openshell-lint: ignore OSP3004 a trial\n  filesystem: {writable: [/tmp/**]}\n  mode: audit\n", "OSP1102 OSP3004"},
		{"several", "  mode: audit # openshell-lint: ignore OSP3004,OSP3014 a trial\n", "OSP1102"},
		{"no reason", "  mode: audit # openshell-lint: ignore OSP3004\n", "OSP1101 OSP3004"},
		{"no reason but a dash", "  mode: audit # openshell-lint: ignore OSP3004 -\n", "OSP1101 OSP3004"},
		{"another code", "  mode: audit # openshell-lint: ignore OSP3005 a trial\n", "OSP1102 OSP3004"},
		{"an unknown code", "  mode: audit # openshell-lint: ignore OSP0000 a trial\n", "OSP1103 OSP3004"},
		{"an error", "  network: {outbound: [{host: '*'}]} # openshell-lint: ignore OSP2001 a trial\n", "OSP1103 OSP2001"},
		{"in a quoted text", "  mode: audit\n  extends: [' # openshell-lint: ignore OSP3004 a trial']\n", "OSP1009 OSP2006 OSP3004"},
		{"all of them", "  mode: audit # openshell-lint: ignore all a trial\n", "OSP1103 OSP3004"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, d := range run(t, policyText(test.spec)) {
				if d.Severity.AtLeast(diag.Warning) {
					got = append(got, d.Code)
				}
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
		})
	}
	literal := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata:\n  name: x\n  annotations:\n    note: |\n      # openshell-lint: ignore OSP3004 hidden in a text\nspec:\n  mode: audit\n"
	if ds := run(t, literal); len(with(ds, "OSP3004")) != 1 {
		t.Errorf("a text silences: %v", ds)
	}
}
