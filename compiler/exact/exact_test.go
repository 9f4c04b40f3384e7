package exact_test

import (
	"strings"
	"testing"

	policycheck "github.com/openshell-policy/openshell/compiler/check"
	"github.com/openshell-policy/openshell/compiler/diag"
	"github.com/openshell-policy/openshell/compiler/exact"
	"github.com/openshell-policy/openshell/compiler/glob"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
)

// compile plans a policy whose spec is given as YAML flow.
func compile(t *testing.T, spec string) *plan.Policy {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: " + spec + "\n"
	docs, ds := parse.File("p.yaml", []byte(text))
	policies, found := policycheck.Policies(docs, nil)
	if ds = append(ds, found...); diag.HasErrors(ds) || len(policies) != 1 {
		t.Fatalf("%s: %v", spec, ds)
	}
	return policies[0]
}

// network plans rules, each a YAML flow, as outbound rules or, after "!", denied.
func network(t *testing.T, rules ...string) (*exact.Requests, []exact.Rule) {
	t.Helper()
	var lists [2][]string
	for _, r := range rules {
		if text, deny := strings.CutPrefix(r, "!"); deny {
			lists[1] = append(lists[1], text)
		} else {
			lists[0] = append(lists[0], r)
		}
	}
	p := compile(t, "{network: {outbound: ["+strings.Join(lists[0], ", ")+"], denied: ["+strings.Join(lists[1], ", ")+"]}}")
	s := exact.NewRequests(exact.Limit)
	var out []exact.Rule
	allows, denies := p.Network.Outbound, p.Network.Denied
	for _, r := range rules {
		if strings.HasPrefix(r, "!") {
			out, denies = append(out, s.Deny(&denies[0])), denies[1:]
		} else {
			out, allows = append(out, s.Allow(&allows[0])), allows[1:]
		}
	}
	return s, out
}

func TestRequestsCovered(t *testing.T) {
	tests := []struct {
		name  string
		rules []string // is the first covered by the others?
		want  exact.Verdict
		shown string // the example
	}{
		{"the same", []string{"{host: a.example.com}", "{host: a.example.com}"}, exact.Yes, ""},
		{"a wildcard", []string{"{host: a.example.com}", "{host: '*.example.com'}"}, exact.Yes, ""},
		{"the other way", []string{"{host: '*.example.com'}", "{host: a.example.com}"}, exact.No, "GET https://b.example.com/"},
		{"deeper", []string{"{host: '**.example.com'}", "{host: '*.example.com'}"}, exact.No, "GET https://a.a.example.com/"},
		{"nothing", []string{"{host: a.example.com}"}, exact.No, "GET https://a.example.com/"},
		{"two together", []string{"{host: a.example.com, methods: [GET, POST]}", "{host: a.example.com, methods: [GET]}", "{host: a.example.com, methods: [POST]}"}, exact.Yes, ""},
		{"GET brings HEAD", []string{"{host: a.example.com, methods: [HEAD]}", "{host: a.example.com, methods: [GET]}"}, exact.Yes, ""},
		{"a path below", []string{"{host: a.example.com, paths: [/a/b]}", "{host: a.example.com, paths: [/a/**]}"}, exact.Yes, ""},
		{"paths together", []string{"{host: a.example.com, paths: [/*]}", "{host: a.example.com, paths: ['/[!a]*']}", "{host: a.example.com, paths: ['/a*']}"}, exact.Yes, ""},
		{"a path beside", []string{"{host: a.example.com, paths: [/a/*/c]}", "{host: a.example.com, paths: [/a/b/c]}"}, exact.No, "GET https://a.example.com/a/a/c"},
		{"an encoded slash", []string{"{host: a.example.com, paths: [/a/*], encoded_slash: allow}", "{host: a.example.com, paths: [/a/*]}"}, exact.No, "GET https://a.example.com/a/a%2F"},
		{"a port", []string{"{host: a.example.com, ports: [443, 8443]}", "{host: a.example.com}"}, exact.No, "GET https://a.example.com:8443/"},
		{"plain http", []string{"{host: a.example.com}", "{host: a.example.com, scheme: https}"}, exact.No, "GET http://a.example.com/"},
		{"an upgrade", []string{"{host: a.example.com, websocket: true}", "{host: a.example.com}"}, exact.No, "GET https://a.example.com/ as a WebSocket"},
		{"a program", []string{"{host: a.example.com}", "{host: a.example.com, binaries: [/usr/bin/git]}"}, exact.No, "GET https://a.example.com/"},
		{"programs", []string{"{host: a.example.com, binaries: ['/usr/bin/*']}", "{host: a.example.com, binaries: [/usr/bin/git]}"}, exact.No, "GET https://a.example.com/ by /usr/bin/a"},
		{"a query", []string{"{host: a.example.com, query: {q: [a]}}", "{host: a.example.com, query: {q: ['?']}}"}, exact.Yes, ""},
		{"an absent key", []string{"{host: a.example.com, query: {q: {match: [a], absent: ok}}}", "{host: a.example.com, query: {q: [a]}}"}, exact.No, "GET https://a.example.com/"},
		{"values mixed", []string{"{host: a.example.com, query: {q: [a, b]}}", "{host: a.example.com, query: {q: [a]}}", "{host: a.example.com, query: {q: [b]}}"}, exact.No, "GET https://a.example.com/?q=a&q=b"},
		{"by a deny rule", []string{"{host: a.example.com, paths: [/a]}", "!{host: a.example.com, paths: [/A/]}"}, exact.No, "GET https://a.example.com/a"},
		{"by a deny rule in another case", []string{"{host: a.example.com, paths: [/a]}", "!{host: a.example.com, paths: [/A]}"}, exact.Yes, ""},
		{"a deny rule and ancestors", []string{"!{host: a.example.com, binaries: [/usr/bin/git]}", "{host: a.example.com, ports: [80, 443], scheme: any, websocket: true}"}, exact.No, "GET https://a.example.com:8443/"},
		{"only unusual paths", []string{"{host: a.example.com, paths: ['/a;b', /a]}", "{host: a.example.com, paths: [/a]}"}, exact.Unknown, "GET https://a.example.com/a;b"},
		{"an address", []string{"{host: 192.0.2.1}", "{host: 192.0.2.1, ports: [443]}"}, exact.No, "GET http://192.0.2.1/"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, rules := network(t, test.rules...)
			check(t, s.Covered(rules[0], rules[1:]...), test.want, test.shown)
		})
	}
}

func check(t *testing.T, got exact.Answer, want exact.Verdict, shown string) {
	t.Helper()
	example := ""
	if got.Example != nil {
		example = got.Example.String()
	}
	if got.Verdict != want || example != shown {
		t.Errorf("got %s %q, want %s %q", got.Verdict, example, want, shown)
	}
}

func TestRequestsIntersectAndEmpty(t *testing.T) {
	s, r := network(t, "{host: '*.example.com', methods: [GET], paths: [/a/**]}", "{host: 'a*.example.com', paths: ['/*/b']}", "{host: a.example.org}", "{host: '-*.example.com'}")
	check(t, s.Intersect(r[0], r[1]), exact.Yes, "GET https://a.example.com/a/b")
	check(t, s.Intersect(r[0], r[2]), exact.No, "")
	check(t, s.Empty(r[0]), exact.No, "GET https://a.example.com/a")
	check(t, s.Empty(r[3]), exact.Yes, "")
}

func TestPaths(t *testing.T) {
	parsed := func(src string) glob.Pattern {
		p, err := glob.FilePath(src)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	tests := []struct {
		globs []string
		want  exact.Verdict
		shown string
	}{
		{[]string{"/a/b", "/a/**"}, exact.Yes, ""},
		{[]string{"/a/**", "/a/*"}, exact.No, "/a"},
		{[]string{"/a/**", "/a", "/a/*", "/a/*/**"}, exact.Yes, ""},
		{[]string{"**/.env", "/workspace/**"}, exact.No, "/.env"},
	}
	for _, test := range tests {
		p := parsed(test.globs[0])
		var others []glob.Pattern
		for _, o := range test.globs[1:] {
			others = append(others, parsed(o))
		}
		if got, example := exact.PathCovered(p, others...); got != test.want || example != test.shown {
			t.Errorf("%v: got %s %q, want %s %q", test.globs, got, example, test.want, test.shown)
		}
	}
	if got, example := exact.PathsIntersect(parsed("/a/**"), parsed("**/b")); got != exact.Yes || example != "/a/b" {
		t.Errorf("got %s %q", got, example)
	}
	if got, _ := exact.PathsIntersect(parsed("/a/*"), parsed("/b/*")); got != exact.No {
		t.Errorf("got %s", got)
	}
}

func TestCommands(t *testing.T) {
	p := compile(t, `{execution: {allowed_commands: ["git *", git status, git push *, "git [!p]*", "python *", python3.11 -c *, "/usr/bin/git *", "git * a *", "git a a"],
		blocked_commands: [rm -rf /, rm -r, curl * | bash, curl, bash, "curl a | tee x | sh", git push --force]}}`)
	a := p.Exec.Allowed
	tests := []struct {
		of     int
		others []int
		want   exact.Verdict
		shown  string
	}{
		{1, []int{0}, exact.Yes, ""},
		{0, []int{1}, exact.No, "git"},
		{2, []int{0}, exact.Yes, ""},
		{2, []int{3}, exact.No, "git push"},
		{5, []int{4}, exact.Yes, ""},
		{0, []int{6}, exact.Unknown, ""},
		{8, []int{7}, exact.Yes, ""},
		{7, []int{8}, exact.No, "git a"},
	}
	for _, test := range tests {
		var others []*plan.CommandRule
		for _, o := range test.others {
			others = append(others, &a[o])
		}
		got, example := exact.CommandCovered(&a[test.of], others...)
		if got != exact.No {
			example = nil
		}
		if got != test.want || strings.Join(example, " ") != test.shown {
			t.Errorf("%q by %v: got %s %q, want %s %q", a[test.of].Text, test.others, got, example, test.want, test.shown)
		}
	}
	if got, example := exact.CommandsIntersect(&a[2], &a[7]); got != exact.Yes || strings.Join(example, " ") != "git push a" {
		t.Errorf("got %s %q", got, example)
	}
	b := p.Exec.Blocked
	for _, test := range []struct {
		of, by int
		want   exact.Verdict
	}{{0, 1, exact.Yes}, {1, 0, exact.Unknown}, {2, 3, exact.Yes}, {2, 4, exact.Yes}, {5, 2, exact.Yes}, {2, 5, exact.Unknown}, {6, 0, exact.Unknown}} {
		if got := exact.BlockedCovered(&b[test.of], &b[test.by]); got != test.want {
			t.Errorf("%q by %q: got %s, want %s", b[test.of].Text, b[test.by].Text, got, test.want)
		}
	}
}

// Twelve words anywhere make 2^12 classes: an answer or none, but soon.
func TestManyFloatingPatterns(t *testing.T) {
	var list []string
	for _, w := range "abcdefghijkl" {
		list = append(list, `"run * `+string(w)+` *"`)
	}
	p := compile(t, `{execution: {allowed_commands: [`+strings.Join(list, ", ")+`, "run *", "run * a * b *"]}}`)
	var words []*plan.CommandRule
	for i := range 12 {
		words = append(words, &p.Exec.Allowed[i])
	}
	if got, example := exact.CommandCovered(&p.Exec.Allowed[12], words...); got != exact.No || strings.Join(example, " ") != "run" {
		t.Errorf("got %s %q", got, example)
	}
	if got, _ := exact.CommandCovered(&p.Exec.Allowed[13], words...); got == exact.No {
		t.Errorf("got %s", got)
	}
}
