package diff_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/diff"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/rego"
)

const base = `
---
apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: base}
spec: {network: {denied: [{host: a.example.com, paths: [/admin/**]}]}, filesystem: {blocked: ["**/.env"]}}
`

// load compiles a policy whose spec is a YAML flow, beside one that it may extend.
func load(t *testing.T, spec string) (*plan.Policy, analysis.Evaluator) {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: " + spec + base
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatalf("%s: %v", spec, r.Diagnostics)
	}
	g, err := rego.New(rego.Options{CacheSize: -1, Lazy: true}).Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return r.Policies[0], analysis.Evaluator{Generation: g}
}

func compare(t *testing.T, before, after string) *diff.Report {
	t.Helper()
	from, was := load(t, before)
	to, is := load(t, after)
	reports := make([]*diff.Report, 3)
	for i, o := range []struct {
		from, to *plan.Policy
		diff.Options
	}{{from, to, diff.Options{Before: was, After: is}}, {from, from, diff.Options{Before: was, After: was}}, {to, to, diff.Options{Before: is, After: is}}} {
		var err error
		if reports[i], err = diff.Policies(context.Background(), o.from, o.to, o.Options); err != nil {
			t.Fatal(err)
		}
		if i > 0 && reports[i].Verdict != diff.Equivalent {
			t.Errorf("a policy is said to be %s to itself", reports[i].Verdict)
		}
	}
	return reports[0]
}

// changes renders what a report says of the surfaces that are not equivalent.
func changes(r *diff.Report) []string {
	var out []string
	for _, s := range r.Surfaces {
		if s.Verdict != diff.Equivalent {
			out = append(out, s.Name+" "+string(s.Verdict))
		}
		for _, c := range s.Changes {
			sign := "+ "
			if c.Direction == diff.Narrows {
				sign = "- "
			}
			out = append(out, sign+c.Example+" ("+string(c.Before.Code)+" "+c.Before.Rule+" -> "+string(c.After.Code)+" "+c.After.Rule+")")
		}
		for _, why := range s.Unknown {
			out = append(out, "? "+why)
		}
	}
	return out
}

func net(rules string) string { return "{network: {outbound: [" + rules + "]}}" }

func TestWhatAChangeMeans(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		want                []string
	}{
		{
			"a wildcard over a host with a credential",
			net("{host: api.example.com, methods: [GET]}"), net("{host: api.example.com, methods: [GET]}, {host: '*.example.com'}"),
			[]string{"network wider", "+ GET https://a.example.com/ (host_not_in_policy default -> allowed outbound[1])", "+ POST https://api.example.com/ (method_not_allowed outbound[0] -> allowed outbound[1])"},
		},
		{
			"a path widened under the same method",
			net("{host: a.example.com, methods: [GET], paths: [/repos/*]}"), net("{host: a.example.com, methods: [GET], paths: [/repos/**]}"),
			[]string{"network wider", "+ GET https://a.example.com/repos (path_not_allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"the same in other words",
			net("{host: a.example.com, methods: [GET, POST], paths: [/a, /a/**]}"), net("{host: a.example.com, methods: [POST], paths: [/a/**]}, {host: a.example.com, methods: [HEAD, GET], paths: [/a/**]}"),
			nil,
		},
		{
			"a deny removed",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/Admin/*]}]}}", net("{host: a.example.com}"),
			[]string{"network wider", "+ GET https://a.example.com/a%2F (bad_request outbound[0] -> allowed outbound[0])", "+ GET https://a.example.com/admin/a (denied_rule denied[0] -> allowed outbound[0])"},
		},
		{
			"a deny in another case is the same",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/Admin/*]}]}}",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/aDMIN/*]}]}}",
			nil,
		},
		{
			"a deny with a slash at the end",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/a]}]}}",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/a/]}]}}",
			// /a// is denied under both, by one reading or the other, which no search over single readings shows.
			[]string{"network unknown", "+ GET https://a.example.com/a (denied_rule denied[0] -> allowed outbound[0])", "? no example shows whether GET on a.example.com changes; GET https://a.example.com/a// does not"},
		},
		{
			"an encoded slash",
			net("{host: a.example.com, paths: [/a/*]}"), net("{host: a.example.com, paths: [/a/*], encoded_slash: allow}"),
			[]string{"network wider", "+ GET https://a.example.com/a/a%2F (bad_request outbound[0] -> allowed outbound[0])"},
		},
		{
			"a deny rule with paths takes encoded slashes away",
			net("{host: a.example.com}"), "{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, paths: [/b]}]}}",
			[]string{"network narrower", "- GET https://a.example.com/b (allowed outbound[0] -> denied_rule denied[0])", "- GET https://a.example.com/a%2F (allowed outbound[0] -> bad_request outbound[0])"},
		},
		{
			"an encoded slash where a deny rule reads it as one",
			"{network: {outbound: [{host: a.example.com, encoded_slash: allow}], denied: [{host: a.example.com, paths: [/a/b]}]}}",
			"{network: {outbound: [{host: a.example.com, encoded_slash: allow}], denied: [{host: a.example.com, paths: [/c]}]}}",
			[]string{"network incomparable", "+ GET https://a.example.com/a/b (denied_rule denied[0] -> allowed outbound[0])", "- GET https://a.example.com/c (allowed outbound[0] -> denied_rule denied[0])"},
		},
		{
			"an absent query key",
			net("{host: a.example.com, query: {q: [a]}}"), net("{host: a.example.com, query: {q: {match: [a], absent: ok}}}"),
			[]string{"network wider", "+ GET https://a.example.com/ (query_not_allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"values of a key mixed",
			net("{host: a.example.com, query: {q: [a]}}, {host: a.example.com, query: {q: [b]}}"), net("{host: a.example.com, query: {q: [a, b]}}"),
			[]string{"network wider", "+ GET https://a.example.com/?q=a&q=b (query_not_allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"a deny that an absent key matches no more",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, query: {q: [a]}}]}}",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, query: {q: {match: [a], absent: ok}}}]}}",
			[]string{"network wider", "+ GET https://a.example.com/ (denied_rule denied[0] -> allowed outbound[0])"},
		},
		{
			"private addresses",
			net("{host: a.example.com, allow_private: [10.0.0.0/16]}"), net("{host: a.example.com, allow_private: [10.0.0.0/15]}"),
			[]string{"network wider", "+ GET https://a.example.com/, where the host resolves to 10.1.0.0 (allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"TLS passed through",
			net("{host: a.example.com, scheme: https}"), net("{host: a.example.com, scheme: https, tls: passthrough}"),
			[]string{"network wider", "+ GET https://a.example.com/ (allowed outbound[0] -> allowed outbound[0])", "+ GET https://a.example.com/ as a WebSocket (websocket_not_allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"any program",
			net("{host: a.example.com, binaries: [/usr/bin/git]}"), net("{host: a.example.com}"),
			[]string{"network wider", "+ GET https://a.example.com/ (binary_not_allowed outbound[0] -> allowed outbound[0])"},
		},
		{
			"a deny of a program, by what it started",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, binaries: [/usr/bin/git, /usr/bin/npm]}]}}",
			"{network: {outbound: [{host: a.example.com}], denied: [{host: a.example.com, binaries: [/usr/bin/git]}]}}",
			[]string{"network wider", "+ GET https://a.example.com/ by /usr/bin/npm (denied_rule denied[0] -> allowed outbound[0])"},
		},
		{
			"the mode of one rule",
			net("{host: a.example.com, methods: [GET]}"), net("{host: a.example.com, methods: [GET], mode: audit}"),
			[]string{
				"network wider", "+ POST https://a.example.com/ (method_not_allowed outbound[0] -> method_not_allowed outbound[0])",
				"+ GET https://a.example.com:80/ (scheme_not_allowed outbound[0] -> scheme_not_allowed outbound[0])",
				"+ GET https://a.example.com/ as a WebSocket (websocket_not_allowed outbound[0] -> websocket_not_allowed outbound[0])",
			},
		},
		{"an extension", "{network: {outbound: [{host: a.example.com}]}, extends: [base]}", "{network: {outbound: [{host: a.example.com}]}}", []string{
			"network wider", "+ GET https://a.example.com/a%2F (bad_request outbound[0] -> allowed outbound[0])", "+ GET https://a.example.com/admin (denied_rule base/denied[0] -> allowed outbound[0])",
			"files wider", "+ read /tmp (not_readable default -> allowed default)", "+ write /tmp (not_writable default -> allowed default)",
			"+ read /bin/.env (blocked_path base/filesystem.blocked[0] -> allowed baseline)",
			"+ read /tmp/.env (blocked_path base/filesystem.blocked[0] -> allowed default)", "+ write /tmp/.env (blocked_path base/filesystem.blocked[0] -> allowed default)",
		}},
		{
			"blocked over writable",
			"{filesystem: {writable: [/w/**], blocked: ['**/.env'], baseline: none}}", "{filesystem: {writable: [/w/**], blocked: [/w/.env], baseline: none}}",
			[]string{"files wider", "+ read /w/a/.env (blocked_path filesystem.blocked[0] -> allowed filesystem.writable[0])", "+ write /w/a/.env (blocked_path filesystem.blocked[0] -> allowed filesystem.writable[0])"},
		},
		{
			"readonly over writable",
			"{filesystem: {writable: [/w/**], baseline: none}}", "{filesystem: {writable: [/w/**], readonly: [/w/.git/**], baseline: none}}",
			[]string{"files narrower", "- write /w/.git (allowed filesystem.writable[0] -> not_writable filesystem.readonly[0])"},
		},
		{
			"well-known secrets",
			"{filesystem: {writable: [/workspace/**], baseline: none, sensitive: allow}}", "{filesystem: {writable: [/workspace/**], baseline: none}}",
			[]string{
				"files narrower",
				"- read /workspace/.age with home /workspace (allowed filesystem.writable[0] -> blocked_path sensitive)",
				"- write /workspace/.age with home /workspace (allowed filesystem.writable[0] -> blocked_path sensitive)",
			},
		},
		{
			"a command pattern widened",
			"{execution: {allowed_commands: [git status *]}}", "{execution: {allowed_commands: [git *]}}",
			[]string{"commands wider", "+ git (command_not_allowed default -> allowed execution.allowed_commands[0])"},
		},
		{"the same pattern in parts", "{execution: {allowed_commands: [git *]}}", "{execution: {allowed_commands: [git, git * *, git status]}}", nil},
		{
			"a blocked command in another spelling",
			"{execution: {blocked_commands: [rm -rf /]}}", "{execution: {blocked_commands: [rm --recursive --force //]}}",
			nil,
		},
		{
			"a blocked command removed",
			"{execution: {blocked_commands: [rm -rf /, curl * | bash]}}", "{execution: {blocked_commands: [rm -rf /]}}",
			[]string{"commands wider", "+ curl | sh (blocked_command execution.blocked_commands[1] -> allowed default)"},
		},
		{
			"a blocked command that blocks more",
			"{execution: {blocked_commands: [curl * | bash]}}", "{execution: {blocked_commands: [bash]}}",
			[]string{"commands narrower", "- sh (allowed default -> blocked_command execution.blocked_commands[0])"},
		},
		{
			"a program that the sandbox may write",
			"{execution: {allowed_commands: [git *]}, filesystem: {writable: [/w/**]}}", "{execution: {allowed_commands: [git *]}, filesystem: {writable: [/w/**, /usr/bin/**]}}",
			[]string{
				"files wider", "+ write /usr/bin (not_writable default -> allowed filesystem.writable[1])",
				"commands narrower", "- sh (allowed carrier -> command_not_allowed default)", "- git (allowed execution.allowed_commands[0] -> untrusted_program default)",
			},
		},
		{
			"a file of another name that a program is a link to",
			"{execution: {allowed_commands: [git status]}, filesystem: {writable: [/w/**]}}", "{execution: {allowed_commands: [git status]}, filesystem: {writable: [/w/**, /opt/tool]}}",
			[]string{
				"files wider", "+ write /opt/tool (not_writable default -> allowed filesystem.writable[1])",
				"commands narrower", "- git status, a link to /opt/tool (allowed execution.allowed_commands[0] -> untrusted_program default)",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(changes(compare(t, test.before, test.after)), test.want); d != "" {
				t.Errorf("got (-) want (+):\n%s", d)
			}
		})
	}
}

func TestModes(t *testing.T) {
	r := compare(t, net("{host: a.example.com}"), "{mode: audit, network: {outbound: [{host: a.example.com}]}}")
	for _, s := range r.Surfaces {
		if s.Verdict != diff.Wider && s.Name != diff.SurfaceCommands { // every command runs anyway
			t.Errorf("%s is %s", s.Name, s.Verdict)
		}
	}
	if got := strings.Join(changes(r), "\n"); !strings.Contains(got, "+ GET https://example.com/ (host_not_in_policy default -> host_not_in_policy default)") {
		t.Errorf("got %s", got)
	}
}

// With an extension, which may deny more, nothing is equivalent for certain.
func TestExtensions(t *testing.T) {
	p, e := load(t, net("{host: a.example.com}"))
	for same, want := range map[bool]diff.Verdict{false: diff.Unknown, true: diff.Equivalent} {
		r, err := diff.Policies(context.Background(), p, p, diff.Options{Before: e, After: e, Extended: true, SameExtensions: same})
		if err != nil || r.Verdict != want {
			t.Errorf("the same extensions %t: got %v, %v", same, r, err)
		}
	}
}

// An evaluator that disagrees is an error, not a report.
func TestMismatch(t *testing.T) {
	from, was := load(t, net("{host: a.example.com}"))
	to, _ := load(t, net("{host: '*.example.com'}"))
	r, err := diff.Policies(context.Background(), from, to, diff.Options{Before: was, After: was})
	var bug *diff.Mismatch
	if r != nil || !asMismatch(err, &bug) || bug.Want != diff.Widens {
		t.Errorf("got %v, %v", r, err)
	}
}

func asMismatch(err error, target **diff.Mismatch) bool {
	m, ok := err.(*diff.Mismatch)
	*target = m
	return ok
}
