package mutate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/mutate"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/policies"
)

// parsed returns the first policy of a text.
func parsed(t *testing.T, file, text string) *parse.Document {
	t.Helper()
	docs, ds := parse.File(file, []byte(text))
	if len(docs) == 0 || docs[0].Policy == nil || diag.HasErrors(ds) {
		t.Fatalf("%s\n%v", text, ds)
	}
	return docs[0]
}

func policy(spec string) string {
	return "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: x}\n" + spec
}

func TestOperators(t *testing.T) {
	tests := []struct {
		name, spec string
		want       []string // but for the mode of the policy
	}{
		{"an allow rule", "spec: {network: {outbound: [{host: a.example.com, methods: [GET], paths: [/a/**]}]}}", []string{
			"drop outbound[0] a.example.com", "move outbound[0] a.example.com to denied",
			"widen outbound[0] host: a.example.com becomes *.example.com", "widen outbound[0] methods: POST added",
			"widen outbound[0] paths: /a/** becomes /**", "narrow outbound[0] paths: /a/** becomes /a/*",
		}},
		{"a rule that restricts nothing", "spec: {network: {denied: [{name: no, host: example.com}]}}", []string{
			"drop no example.com", "move no example.com to outbound",
			"narrow no methods: any becomes GET", "narrow no paths: any becomes /*",
		}},
		{"several methods and paths", "spec: {network: {outbound: [{host: '**.example.com', methods: [POST, PUT], paths: [/, /b/*]}]}}", []string{
			"drop outbound[0] **.example.com", "move outbound[0] **.example.com to denied",
			"narrow outbound[0] host: **.example.com becomes *.example.com",
			"widen outbound[0] methods: DELETE added", "narrow outbound[0] methods: POST taken away", "narrow outbound[0] methods: PUT taken away",
			"widen outbound[0] paths: / becomes /*", "narrow outbound[0] paths: / taken away",
			"widen outbound[0] paths: /b/* becomes /b/**", "narrow outbound[0] paths: /b/* taken away",
		}},
		{"what else a rule says", "spec: {network: {outbound: [{host: example.com, methods: [GET], paths: [/**], scheme: https, ports: [443, 8443], websocket: true, mode: audit, encoded_slash: allow, query: {q: [a, b]}, binaries: [/usr/bin/git]}]}}", []string{
			"drop outbound[0] example.com", "move outbound[0] example.com to denied", "widen outbound[0] methods: POST added",
			"narrow outbound[0] paths: /** becomes /*",
			"widen outbound[0] binaries: /usr/bin/git becomes /usr/bin/*", "widen outbound[0] binaries: any program",
			"widen outbound[0] ports: 8444 added", "narrow outbound[0] ports: 443 taken away", "narrow outbound[0] ports: 8443 taken away",
			"widen outbound[0] scheme: https becomes any",
			"widen outbound[0] query: q no longer asked for", "widen outbound[0] query: q may be anything",
			"narrow outbound[0] query: q may no longer be a", "narrow outbound[0] query: q may no longer be b", "set outbound[0] query: q absent is ok",
			"set outbound[0] websocket: true left out", "narrow outbound[0] encoded_slash: allow left out", "set outbound[0] mode: audit becomes enforce",
		}},
		{"files", "spec: {filesystem: {writable: [/workspace/**], readonly: [/etc/hosts], blocked: ['**/.env', /root/**], sensitive: everywhere}}", []string{
			"set sensitive sensitive: block", "set baseline baseline: none",
			"drop filesystem.writable[0] /workspace/**", "widen filesystem.writable[0] /workspace/** becomes /**",
			"narrow filesystem.writable[0] /workspace/** becomes /workspace/*", "move filesystem.writable[0] /workspace/** to readonly",
			"drop filesystem.readonly[0] /etc/hosts", "widen filesystem.readonly[0] /etc/hosts becomes /etc/*", "move filesystem.readonly[0] /etc/hosts to writable",
			"drop filesystem.blocked[0] **/.env", "widen filesystem.blocked[0] **/.env becomes **/.env*",
			"narrow filesystem.blocked[0] **/.env becomes /.env", "move filesystem.blocked[0] **/.env to readonly",
			"drop filesystem.blocked[1] /root/**", "widen filesystem.blocked[1] /root/** becomes /**",
			"narrow filesystem.blocked[1] /root/** becomes /root/*/*", "move filesystem.blocked[1] /root/** to readonly",
		}},
		{"commands", "spec: {execution: {allowed_commands: [git *, npm run *, make, '@coreutils', \"echo 'a b'\"], blocked_commands: [rm -rf /, curl * | bash, sudo]}}", []string{
			"set allowed_commands allowed_commands left out: any command that is not blocked", "set carriers carriers: deny",
			"drop execution.allowed_commands[0] git *", "narrow execution.allowed_commands[0] git * becomes git", "move execution.allowed_commands[0] git * to blocked_commands",
			"drop execution.allowed_commands[1] npm run *", "widen execution.allowed_commands[1] npm run * becomes npm *",
			"narrow execution.allowed_commands[1] npm run * becomes npm run", "move execution.allowed_commands[1] npm run * to blocked_commands",
			"drop execution.allowed_commands[2] make", "widen execution.allowed_commands[2] make becomes make *", "move execution.allowed_commands[2] make to blocked_commands",
			"drop execution.allowed_commands[3] @coreutils", "move execution.allowed_commands[3] @coreutils to blocked_commands",
			"drop execution.allowed_commands[4] echo 'a b'", "move execution.allowed_commands[4] echo 'a b' to blocked_commands",
			"drop execution.blocked_commands[0] rm -rf /", "widen execution.blocked_commands[0] rm -rf / becomes rm -rf", "move execution.blocked_commands[0] rm -rf / to allowed_commands",
			"drop execution.blocked_commands[1] curl * | bash", "widen execution.blocked_commands[1] curl * | bash becomes bash",
			"widen execution.blocked_commands[1] curl * | bash becomes curl *", "move execution.blocked_commands[1] curl * | bash to allowed_commands",
			"drop execution.blocked_commands[2] sudo", "move execution.blocked_commands[2] sudo to allowed_commands",
		}},
		{"bases", "spec: {extends: [a, b]}", []string{"drop extends[0] a", "drop extends[1] b"}},
		{"a restricted list of none", "spec: {execution: {allowed_commands: []}}", []string{"set allowed_commands allowed_commands left out: any command that is not blocked"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, m := range mutate.Of(parsed(t, "p.yaml", policy(test.spec))) {
				got = append(got, fmt.Sprintf("%s %s %s", m.Operator, m.Rule, m.What))
			}
			want := append([]string{"set mode mode: audit"}, test.want...)
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("got (-) want (+):\n%s", diff)
			}
		})
	}
}

// Each mutant of the ready-made policies can be written into its file, and is
// what the file then says.
func TestTextOfTheLibrary(t *testing.T) {
	seen, anew := 0, 0
	for _, name := range policies.Names() {
		text, _ := policies.Text(name)
		for _, m := range mutate.Of(parsed(t, name+".yaml", string(text))) {
			seen++
			changed, ok := m.Text()
			if !ok {
				anew++
				t.Logf("%s: %s %s %s is written out anew", name, m.Operator, m.Rule, m.What)
				continue
			}
			before, after := strings.Count(string(text), "\n"), strings.Count(string(changed), "\n")
			if after > before+2 || string(changed) == string(text) {
				t.Errorf("%s: %s %s: %d lines became %d", name, m.Operator, m.Rule, before, after)
			}
		}
	}
	if seen < 300 || anew*20 > seen {
		t.Errorf("%d mutants, %d of them written out anew", seen, anew)
	}
}

func TestDiff(t *testing.T) {
	text := policy(`spec:
  network:
    outbound:
      # the forge
      - host: "git.example.com" # ours
        methods: [GET, POST]

      - host: b.example.com
        query: {q: ["a"]}
  execution:
    allowed_commands:
      - git *
`)
	tests := []struct{ mutant, want string }{
		{"widen outbound[0] host: git.example.com becomes *.example.com", "-      - host: \"git.example.com\" # ours\n+      - host: \"*.example.com\" # ours\n"},
		{"narrow outbound[0] methods: GET taken away", "-        methods: [GET, POST]\n+        methods: [POST]\n"},
		{"drop outbound[0] git.example.com", "-      - host: \"git.example.com\" # ours\n-        methods: [GET, POST]\n"},
		{"move outbound[1] b.example.com to denied", "+    denied: [{host: \"b.example.com\", query: {q: {match: [a]}}}]\n-      - host: b.example.com\n-        query: {q: [\"a\"]}\n"},
		{"widen outbound[1] query: q may be anything", "-        query: {q: [\"a\"]}\n+        query: {q: [\"*\"]}\n"},
		{"drop execution.allowed_commands[0] git *", "-    allowed_commands:\n-      - git *\n+    allowed_commands: []\n"},
		{"set carriers carriers: deny", "+    carriers: deny\n"},
		{"set mode mode: audit", "+  mode: audit\n"},
	}
	mutants := mutate.Of(parsed(t, "p.yaml", text))
	for _, test := range tests {
		i := slices.IndexFunc(mutants, func(m mutate.Mutant) bool {
			return fmt.Sprintf("%s %s %s", m.Operator, m.Rule, m.What) == test.mutant
		})
		if i < 0 {
			t.Errorf("no mutant %q", test.mutant)
			continue
		}
		if got := changes(mutants[i].Diff()); got != test.want {
			t.Errorf("%s:\ngot\n%swant\n%s", test.mutant, got, test.want)
		}
	}
}

// changes are the lines of a diff that were added or removed.
func changes(diff string) string {
	var b strings.Builder
	for line := range strings.Lines(diff) {
		if (line[0] == '+' || line[0] == '-') && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// What stands behind a rule that was dropped keeps its id.
func TestRename(t *testing.T) {
	doc := parsed(t, "p.yaml", policy("spec: {network: {outbound: [{host: a.example.com}, {name: b, host: b.example.com}, {host: c.example.com}]}, filesystem: {blocked: [/a, /b]}}"))
	child := parsed(t, "q.yaml", strings.ReplaceAll(policy("spec: {extends: [x], network: {outbound: [{host: d.example.com}]}}"), "{name: x}", "{name: y}"))
	for _, m := range mutate.Of(doc) {
		if m.Operator != mutate.Drop {
			continue
		}
		plans, ds := check.Policies([]*parse.Document{m.Document, child}, nil)
		if len(plans) != 2 || diag.HasErrors(ds) {
			t.Fatal(ds)
		}
		for i, p := range plans {
			m.Rename(p)
			ids := map[string]string{}
			for _, r := range p.Network.Outbound {
				ids[r.Text] = r.ID
			}
			for _, r := range p.File.Blocked {
				ids[r.Text] = r.ID
			}
			prefix := []string{"", "x/"}[i]
			for text, id := range map[string]string{"a.example.com": "outbound[0]", "b.example.com": "b", "c.example.com": "outbound[2]", "/a": "filesystem.blocked[0]", "/b": "filesystem.blocked[1]"} {
				if got, kept := ids[text]; kept && got != prefix+id || !kept && text != m.What {
					t.Errorf("%s without %s: %s is %q, want %q", p.Name, m.What, text, got, prefix+id)
				}
			}
		}
	}
}
