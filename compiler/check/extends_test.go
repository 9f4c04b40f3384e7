package check_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/plan"
)

func outboundIDs(p *plan.Policy) []string {
	var out []string
	for _, r := range p.Network.Outbound {
		out = append(out, r.ID)
	}
	return out
}

// Own rules come first, then each base in the order of extends, each once.
func TestExtendsUnitesLists(t *testing.T) {
	p := resolve(t,
		document("x", "extends: [left, right], network: {outbound: [{host: x.example.com}]}, filesystem: {blocked: [/x]}")+
			document("left", "extends: [top], network: {outbound: [{name: l, host: l.example.com}]}, execution: {allowed_commands: [git]}")+
			document("right", "extends: [top], network: {outbound: [{host: r.example.com}]}, execution: {blocked_commands: [rm]}"),
		document("top", "network: {outbound: [{host: t.example.com}]}, filesystem: {blocked: [/t]}, execution: {allowed_commands: []}"))
	want := []string{"outbound[0]", "left/l", "top/outbound[0]", "right/outbound[0]"}
	if diff := cmp.Diff(want, outboundIDs(p)); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got := p.Network.Outbound[2].Pos.File; got != "library.yaml" {
		t.Errorf("an inherited rule comes from %s", got)
	}
	if len(p.File.Blocked) != 2 || p.File.Blocked[1].ID != "top/filesystem.blocked[0]" || len(p.File.Writable) != 0 {
		t.Errorf("files: got %+v", p.File.Blocked)
	}
	if len(p.Exec.Allowed) != 1 || p.Exec.Allowed[0].ID != "left/execution.allowed_commands[0]" || p.Exec.None || len(p.Exec.Blocked) != 1 {
		t.Errorf("commands: got %+v", p.Exec)
	}
}

// A scalar is the policy's own, else the strictest of those that say something.
func TestExtendsScalars(t *testing.T) {
	tests := []struct{ name, own, first, second, want string }{
		{"nobody says", "", "", "", "enforce"},
		{"one base says", "", "", "mode: audit", "audit"},
		{"the strictest base", "", "mode: audit", "mode: enforce", "enforce"},
		{"own", "mode: audit", "mode: enforce", "", "audit"},
	}
	for _, test := range tests {
		text := document("x", "extends: [a, b], "+test.own) + document("a", test.first) + document("b", test.second)
		if got := string(resolve(t, text, "").Mode); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	p := resolve(t, document("x", "extends: [a, b]")+
		document("a", "filesystem: {sensitive: allow, baseline: runtime}, execution: {carriers: allow}")+
		document("b", "filesystem: {sensitive: everywhere, baseline: none}, execution: {carriers: deny}"), "")
	if len(p.File.Baseline) != 0 || len(p.File.Sensitive) == 0 || len(p.File.SensitiveHome) != 0 || p.Exec.Carriers {
		t.Errorf("got %d baseline, %d sensitive, carriers %t", len(p.File.Baseline), len(p.File.Sensitive), p.Exec.Carriers)
	}
}

// A rule without a mode has that of the policy it ends up in.
func TestInheritedRulesTakeTheMode(t *testing.T) {
	p := resolve(t, document("x", "extends: [a], mode: audit")+
		document("a", "mode: enforce, network: {outbound: [{host: a.example.com}, {host: b.example.com, mode: enforce}]}"), "")
	if got := p.Network.Outbound; got[0].Mode != "audit" || got[1].Mode != "enforce" {
		t.Errorf("got %s and %s, want audit and enforce", got[0].Mode, got[1].Mode)
	}
}

// A policy that the library has too may be extended if both say the same.
func TestNamesInTheLibrary(t *testing.T) {
	base := document("base", "network: {outbound: [{host: a.example.com}]}")
	user := document("x", "extends: [base]")
	if p := resolve(t, user+base, base); !slices.Equal(outboundIDs(p), []string{"base/outbound[0]"}) {
		t.Errorf("the same: got %v", outboundIDs(p))
	}
	if p := resolve(t, user+"# reworded\n"+base, base); len(p.Network.Outbound) != 1 {
		t.Errorf("another comment: got %v", outboundIDs(p))
	}
	plans, ds := check.Policies(documents(t, "p.yaml", user+document("base", "mode: audit")), documents(t, "library.yaml", base))
	if len(ds) == 0 || slices.ContainsFunc(plans, func(p *plan.Policy) bool { return p.Name == "x" }) {
		t.Errorf("another policy of that name: %d plans, %v", len(plans), ds)
	}
}

// What is wrong with one policy does not keep the others from being resolved.
func TestPoliciesWithErrorsAreLeftOut(t *testing.T) {
	text := document("bad", "network: {outbound: [{host: '*'}]}") + document("user", "extends: [bad]") + document("good", "")
	plans, ds := check.Policies(documents(t, "p.yaml", text), nil)
	if len(plans) != 1 || plans[0].Name != "good" || len(ds) != 1 {
		t.Errorf("got %d plans and %v", len(plans), ds)
	}
}
