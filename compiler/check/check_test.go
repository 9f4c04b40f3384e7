package check_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// document is the text of a policy with a spec in flow style.
func document(name, spec string) string {
	return "---\napiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: " + name + "}\nspec: {" + spec + "}\n"
}

func documents(t *testing.T, file, text string) []*parse.Document {
	t.Helper()
	if text == "" {
		return nil
	}
	docs, ds := parse.File(file, []byte(text))
	if len(ds) != 0 {
		t.Fatalf("%s\n%v", text, ds)
	}
	return docs
}

// resolve returns the plan of the first policy of a text that is without fault.
func resolve(t *testing.T, text, library string) *plan.Policy {
	t.Helper()
	plans, ds := check.Policies(documents(t, "p.yaml", text), documents(t, "library.yaml", library))
	if len(plans) == 0 || diag.HasErrors(ds) {
		t.Fatalf("%s\n%v", text, ds)
	}
	return plans[0]
}

func one(t *testing.T, spec string) *plan.Policy {
	t.Helper()
	return resolve(t, document("x", spec), "")
}

func TestEndpoints(t *testing.T) {
	tests := []struct{ name, list, fields, want string }{
		{"default", "outbound", "", "https:443 http:80"},
		{"https", "outbound", ", scheme: https", "https:443"},
		{"http", "outbound", ", scheme: http", "http:80"},
		{"any", "outbound", ", scheme: any", "https:443 http:80"},
		{"ports", "outbound", ", ports: [80, 443, 8443]", "http:80 https:443 https:8443"},
		{"ports and scheme", "outbound", ", ports: [8080], scheme: http", "http:8080"},
		{"ports and any", "outbound", ", ports: [8080], scheme: any", "https:8080 http:8080"},
		{"repeated ports", "outbound", ", ports: [443, 443]", "https:443"},
		{"denied", "denied", "", "https:0 http:0 any port"},
		{"denied https", "denied", ", scheme: https", "https:0 any port"},
		{"denied ports", "denied", ", ports: [22]", "https:22 http:22"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := one(t, fmt.Sprintf("network: {%s: [{host: a.example.com%s}]}", test.list, test.fields))
			r := slices.Concat(p.Network.Outbound, p.Network.Denied)[0]
			var got []string
			for _, e := range r.Endpoints {
				got = append(got, fmt.Sprintf("%s:%d", e.Scheme, e.Port))
			}
			if r.AnyPort {
				got = append(got, "any port")
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
		})
	}
}

func TestRuleFields(t *testing.T) {
	p := one(t, `mode: audit, network: {
  outbound: [{host: a.example.com, methods: [POST, GET], paths: [/a/**], websocket: true, mode: enforce, encoded_slash: allow,
    query: {b: [x, y], a: {match: ["*"], absent: ok}}, binaries: [/usr/bin/git], allow_private: [10.0.0.0/8]}],
  denied: [{name: no, host: b.example.com, methods: [GET], websocket: false}, {host: c.example.com}]}`)
	r := p.Network.Outbound[0]
	got := fmt.Sprint(r.ID, r.Text, r.Methods, r.Written, len(r.Paths), r.WebSocket == plan.True, r.Mode, r.EncodedSlash, r.Passthrough, len(r.Binaries), r.AllowPrivate)
	want := "outbound[0]a.example.com[GET HEAD POST] [POST GET] 1 true enforce true false 1 [10.0.0.0/8]"
	if strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var query []string
	for _, q := range r.Query {
		query = append(query, fmt.Sprintf("%s %d %t", q.Key, len(q.Match), q.AbsentOK))
	}
	if diff := cmp.Diff([]string{"a 1 true", "b 2 false"}, query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	no, other := p.Network.Denied[0], p.Network.Denied[1]
	if no.ID != "no" || no.WebSocket != plan.False || !slices.Equal(no.Methods, []string{"GET", "HEAD"}) || no.Mode != "audit" {
		t.Errorf("denied[0]: got %+v", no)
	}
	if other.ID != "denied[1]" || other.WebSocket != plan.Unset || len(other.Methods) != 0 {
		t.Errorf("denied[1]: got %+v", other)
	}
}

func TestHosts(t *testing.T) {
	tests := []struct{ written, want string }{
		{"api.example.com", "api.example.com"},
		{"API.Example.COM.", "api.example.com"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"localhost", "localhost"},
		{"_dmarc.example.com", "_dmarc.example.com"},
		{"10.0.0.1", "10.0.0.1"},
		{"2001:db8::1", "2001:db8::1"},
	}
	for _, test := range tests {
		p := one(t, fmt.Sprintf("network: {outbound: [{host: %q}]}", test.written))
		if got, ok := p.Network.Outbound[0].Host.Literal("."); got != test.want || !ok {
			t.Errorf("%s: got %q, want %q", test.written, got, test.want)
		}
	}
	for _, wildcard := range []string{"*.example.com", "**.example.com", "*-api.example.com", "a?[0-9].example.com", "api.*.example.com", "*.github.io", "*.example.co.uk"} {
		p := one(t, fmt.Sprintf("network: {outbound: [{host: %q}]}", wildcard))
		if got := p.Network.Outbound[0].Host; got.Source != wildcard || len(got.Segments) < 3 {
			t.Errorf("%s: got %+v", wildcard, got)
		}
	}
}

func TestFiles(t *testing.T) {
	counts := func(p *plan.Policy) string {
		return fmt.Sprintf("%d writable, %t baseline, %t sensitive, %t below home", len(p.File.Writable), len(p.File.Baseline) > 0, len(p.File.Sensitive) > 0, len(p.File.SensitiveHome) > 0)
	}
	tests := []struct{ spec, want string }{
		{"", "2 writable, true baseline, true sensitive, true below home"},
		{"filesystem: {}", "0 writable, true baseline, true sensitive, true below home"},
		{"filesystem: {writable: [/a]}", "1 writable, true baseline, true sensitive, true below home"},
		{"filesystem: {baseline: none}", "0 writable, false baseline, true sensitive, true below home"},
		{"filesystem: {sensitive: allow}", "0 writable, true baseline, false sensitive, false below home"},
		{"filesystem: {sensitive: everywhere}", "0 writable, true baseline, true sensitive, false below home"},
	}
	for _, test := range tests {
		if got := counts(one(t, test.spec)); got != test.want {
			t.Errorf("{%s}: got %s, want %s", test.spec, got, test.want)
		}
	}
	sources := func(rules []plan.PathRule) map[string]bool {
		m := map[string]bool{}
		for _, r := range rules {
			m[r.Glob.Source] = r.ID == "sensitive"
		}
		return m
	}
	if s := sources(one(t, "").File.Sensitive); !s["/etc/shadow"] || !s["/root/.ssh/**"] || !s["/home/*/.ssh/**"] {
		t.Errorf("sensitive: got %v", s)
	}
	if s := sources(one(t, "filesystem: {sensitive: everywhere}").File.Sensitive); !s["/etc/shadow"] || !s["**/.ssh/**"] || s["/root/.ssh/**"] {
		t.Errorf("sensitive everywhere: got %v", s)
	}
}

func showAllowed(r plan.CommandRule) string {
	out := r.Program.Name
	if r.Program.Path != nil {
		out = "path:" + r.Program.Path.Source
	}
	for _, a := range r.Args {
		if a.Rest {
			out += " ..."
			continue
		}
		out += " " + a.Glob.Source
		if lit, ok := a.Glob.Literal(""); ok && strings.ContainsAny(lit, " *") {
			out = strings.TrimSuffix(out, a.Glob.Source) + "'" + lit + "'"
		}
	}
	return out
}

func TestAllowedCommands(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{"git *", "git ..."},
		{"git", "git"},
		{"python3.11 -m venv *", "python -m venv ..."},
		{"bash -c *", "bash -c ..."},
		{"/usr/bin/make  all", "path:/usr/bin/make all"},
		{"**/gradlew *", "path:**/gradlew ..."},
		{"echo '*' \"a b\" c\\ d x*y", "echo '*' 'a b' 'c d' x*y"},
		{"git commit -m *", "git commit -m ..."},
	}
	for _, test := range tests {
		p := one(t, fmt.Sprintf("execution: {allowed_commands: [%q]}", test.pattern))
		if got := showAllowed(p.Exec.Allowed[0]); got != test.want {
			t.Errorf("%s: got %q, want %q", test.pattern, got, test.want)
		}
	}
}

func showBlocked(r plan.PipelineRule) string {
	var stages []string
	for _, s := range r.Stages {
		out := s.Program.Name
		if s.Program.Path != nil {
			out = "path:" + s.Program.Path.Source
		}
		if s.Sub != nil {
			out += " sub:" + s.Sub.Source
		}
		for _, o := range s.Options {
			out += " " + o.Source
		}
		for _, o := range s.Operands {
			out += " " + o.Source
		}
		stages = append(stages, out)
	}
	return strings.Join(stages, " | ")
}

func TestBlockedCommands(t *testing.T) {
	tests := []struct{ pattern, want string }{
		{"rm -rf /", "rm -f -r /"},
		{"rm --recursive --force //", "rm -f -r /"},
		{"rm -rf *", "rm -f -r"},
		{"sudo", "sudo"},
		{"curl * | bash", "curl | sh"},
		{"wget * | sh", "wget | sh"},
		{"curl | tee * | zsh", "curl | tee | sh"},
		{"git push --force", "git sub:push -f"},
		{"python3 -c *", "python -c"},
		{"/bin/rm -r /a/../b", "path:/bin/rm -r /b"},
	}
	for _, test := range tests {
		p := one(t, fmt.Sprintf("execution: {blocked_commands: [%q]}", test.pattern))
		if got := showBlocked(p.Exec.Blocked[0]); got != test.want {
			t.Errorf("%s: got %q, want %q", test.pattern, got, test.want)
		}
	}
}

func TestExecutionClause(t *testing.T) {
	tests := []struct{ spec, want string }{
		{"", "present false, restricted false, none false"},
		{"execution: {}", "present true, restricted false, none false"},
		{"execution: {allowed_commands: []}", "present true, restricted true, none true"},
		{"execution: {allowed_commands: [git]}", "present true, restricted true, none false"},
		{"execution: {blocked_commands: [git]}", "present true, restricted false, none false"},
	}
	for _, test := range tests {
		e := one(t, test.spec).Exec
		if got := fmt.Sprintf("present %t, restricted %t, none %t", e.Present, e.Restricted, e.None); got != test.want {
			t.Errorf("{%s}: got %s, want %s", test.spec, got, test.want)
		}
	}
	if one(t, "execution: {carriers: deny}").Exec.Carriers || !one(t, "execution: {}").Exec.Carriers {
		t.Error("carriers: deny does not turn them off, or they are off by default")
	}
	allowed := one(t, "execution: {allowed_commands: [git, '@coreutils']}").Exec.Allowed
	if last := allowed[len(allowed)-1]; len(allowed) < 50 || last.ID != "execution.allowed_commands[1]" || last.Text != "@coreutils" {
		t.Errorf("a group: %d rules, the last %+v", len(allowed), last.Origin)
	}
}
