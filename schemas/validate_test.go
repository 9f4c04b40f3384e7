package schemas_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/schemas"
)

// policy wraps the JSON of a spec.
func policy(spec string) string {
	return `{"apiVersion":"openshell.nvidia.com/v1alpha1","kind":"SandboxPolicy","metadata":{"name":"p"},"spec":` + spec + `}`
}

func allow(rule string) string { return policy(`{"network":{"outbound":[` + rule + `]}}`) }
func deny(rule string) string  { return policy(`{"network":{"denied":[` + rule + `]}}`) }

func testCase(c string) string {
	return `{"apiVersion":"openshell.nvidia.com/v1alpha1","kind":"PolicyTest","metadata":{"name":"p"},"spec":{"policies":["p.yaml"],"cases":[` + c + `]}}`
}

// validations pairs documents with what Validate says: lines of path: message.
var validations = []struct {
	name   string
	schema string
	doc    string
	want   []string
}{
	{"empty spec", "SandboxPolicy", policy(`{}`), nil},
	{"every field of an allow rule", "SandboxPolicy", allow(`{"name":"r","host":"*.example.com","scheme":"any","ports":[1,65535],
		"methods":["GET","M-SEARCH"],"paths":["/a","**/b","**"],"query":{"a":["x",""],"b":{"match":["y"],"absent":"ok"}},"websocket":true,
		"tls":"inspect","binaries":["/usr/bin/git","**/node"],"allow_private":["10.0.0.0/8"],"mode":"audit","encoded_slash":"allow"}`), nil},
	{"lists that may be empty", "SandboxPolicy", policy(`{"network":{"outbound":[],"denied":[]},"filesystem":{"writable":[],"readonly":[],
		"blocked":[]},"execution":{"allowed_commands":[],"blocked_commands":[]}}`), nil},
	{"passthrough alone", "SandboxPolicy", allow(`{"host":"a.example.com","tls":"passthrough","ports":[443],"binaries":["/a"]}`), nil},
	{"not a mapping", "SandboxPolicy", `"x"`, []string{`: want a mapping, got a string`}},
	{"nothing", "SandboxPolicy", `null`, []string{`: want a mapping, got nothing`}},
	{"empty mapping", "SandboxPolicy", `{}`, []string{
		`: missing field "apiVersion"`, `: missing field "kind"`, `: missing field "metadata"`, `: missing field "spec"`,
	}},
	{"wrong kind and version", "SandboxPolicy", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{}}`, []string{
		`apiVersion: "v1" is not openshell.nvidia.com/v1alpha1 [openshell.nvidia.com/v1alpha1]`,
		`kind: "Pod" is not SandboxPolicy [SandboxPolicy]`,
	}},
	{"name", "SandboxPolicy", strings.Replace(policy(`{}`), `"p"`, `"My_Policy"`, 1), []string{
		`metadata name: "My_Policy" is not a name of lower-case letters, digits, "-" and "."`,
	}},
	{"long name", "SandboxPolicy", strings.Replace(policy(`{}`), `"p"`, `"`+strings.Repeat("p", 64)+`"`, 1), []string{
		`metadata name: "` + strings.Repeat("p", 57) + `..." is longer than 63 characters`,
	}},
	{"label", "SandboxPolicy", strings.Replace(policy(`{}`), `"p"`, `"p","labels":{"a/b":1}`, 1), []string{
		`metadata labels a/b: want a string, got a number`,
	}},
	{"unknown field", "SandboxPolicy", policy(`{"netwrok":{}}`), []string{
		`spec netwrok: unknown field "netwrok" [execution extends filesystem mode network]`,
	}},
	{"two unknown fields", "SandboxPolicy", policy(`{"b":1,"a":2}`), []string{
		`spec a: unknown field "a" [execution extends filesystem mode network]`,
		`spec b: unknown field "b" [execution extends filesystem mode network]`,
	}},
	{"clause of nothing", "SandboxPolicy", policy(`{"network":null}`), []string{`spec network: want a mapping, got nothing`}},
	{"mapping for a list", "SandboxPolicy", policy(`{"network":{"outbound":{"host":"a"}}}`), []string{
		`spec network outbound: want a list, got a mapping`,
	}},
	{"no host", "SandboxPolicy", allow(`{"methods":["GET"]}`), []string{`spec network outbound 0: missing field "host"`}},
	{"URL for a host", "SandboxPolicy", allow(`{"host":"https://a.example.com"}`), []string{
		`spec network outbound 0 host: "https://a.example.com" is not a host: write the name alone, without scheme, port or path`,
	}},
	{"methods", "SandboxPolicy", allow(`{"host":"a","methods":["get","CONNECT","*",7]}`), []string{
		`spec network outbound 0 methods 0: "get" is not an upper-case method`,
		`spec network outbound 0 methods 1: "CONNECT" cannot be named: no rule can allow CONNECT or TRACE, and both are always denied`,
		`spec network outbound 0 methods 2: "*" is not an upper-case method`,
		`spec network outbound 0 methods 3: want a string, got a number`,
	}},
	{"method outside a list", "SandboxPolicy", allow(`{"host":"a","methods":"GET"}`), []string{
		`spec network outbound 0 methods: want a list, got a string`,
	}},
	{"ports", "SandboxPolicy", allow(`{"host":"a","ports":[0,65536,1.5,"443"]}`), []string{
		`spec network outbound 0 ports 0: 0 is not between 1 and 65535`,
		`spec network outbound 0 ports 1: 65536 is not between 1 and 65535`,
		`spec network outbound 0 ports 2: want a whole number, got a number`,
		`spec network outbound 0 ports 3: want a whole number, got a string`,
	}},
	{"empty lists", "SandboxPolicy", allow(`{"host":"a","ports":[],"methods":[],"paths":[],"binaries":[],"allow_private":[],"query":{"k":[]}}`), []string{
		`spec network outbound 0 allow_private: the list must not be empty`,
		`spec network outbound 0 binaries: the list must not be empty`,
		`spec network outbound 0 methods: the list must not be empty`,
		`spec network outbound 0 paths: the list must not be empty`,
		`spec network outbound 0 ports: the list must not be empty`,
		`spec network outbound 0 query k: the list must not be empty`,
	}},
	{"query", "SandboxPolicy", allow(`{"host":"a","query":{"a":"x","b":{"absent":"no"},"c":{"match":[1]}}}`), []string{
		`spec network outbound 0 query a: want a list or a mapping, got a string`,
		`spec network outbound 0 query b: missing field "match"`,
		`spec network outbound 0 query b absent: "no" is not ok [ok]`,
		`spec network outbound 0 query c match 0: want a string, got a number`,
	}},
	{"empty query", "SandboxPolicy", allow(`{"host":"a","query":{}}`), []string{
		`spec network outbound 0 query: the mapping must not be empty`,
	}},
	{"relative paths", "SandboxPolicy", allow(`{"host":"a","paths":["repos/**"],"binaries":["git"]}`), []string{
		`spec network outbound 0 binaries 0: "git" is not an absolute path or one that begins with "**/"`,
		`spec network outbound 0 paths 0: "repos/**" is not a path that begins with "/" or "**/"`,
	}},
	{"passthrough with what it cannot see", "SandboxPolicy", allow(`{"host":"a","tls":"passthrough","methods":["GET"],"paths":["/a"]}`), []string{
		`spec network outbound 0 methods: field "methods" is not allowed beside tls: passthrough, because the gateway does not see the request then`,
		`spec network outbound 0 paths: field "paths" is not allowed beside tls: passthrough, because the gateway does not see the request then`,
	}},
	{"generated rule ids", "SandboxPolicy", allow(`{"host":"a","name":"outbound[0]"},{"host":"a","name":"baseline"},{"host":"a","name":"x/denied[1]"},{"host":"a","name":"outbound zero"}`), []string{
		`spec network outbound 0 name: "outbound[0]" cannot name a rule: the toolchain gives such ids by itself`,
		`spec network outbound 1 name: "baseline" cannot name a rule: the toolchain gives such ids by itself`,
		`spec network outbound 2 name: "x/denied[1]" cannot name a rule: the toolchain gives such ids by itself`,
	}},
	{"scheme and mode", "SandboxPolicy", allow(`{"host":"a","scheme":"ftp","mode":"warn","encoded_slash":"deny"}`), []string{
		`spec network outbound 0 encoded_slash: "deny" is not allow [allow]`,
		`spec network outbound 0 mode: "warn" is not enforce or audit [enforce audit]`,
		`spec network outbound 0 scheme: "ftp" is not https, http or any [https http any]`,
	}},
	{"addresses", "SandboxPolicy", allow(`{"host":"a","allow_private":["10.0.0.1","any"]}`), []string{
		`spec network outbound 0 allow_private 0: "10.0.0.1" is not a range of addresses such as 10.0.0.0/8`,
		`spec network outbound 0 allow_private 1: "any" is not a range of addresses such as 10.0.0.0/8`,
	}},
	{"what a deny rule has not", "SandboxPolicy", deny(`{"host":"a","tls":"inspect","allow_private":["10.0.0.0/8"],"encoded_slash":"allow"}`), []string{
		`spec network denied 0 allow_private: field "allow_private" is not for deny rules: leave it out, a deny rule matches whatever the host resolves to`,
		`spec network denied 0 encoded_slash: field "encoded_slash" is not for deny rules: leave it out, a deny rule reads %2F both ways`,
		`spec network denied 0 tls: field "tls" is not for deny rules: leave it out, only an allow rule chooses how TLS is read`,
	}},
	{"filesystem", "SandboxPolicy", policy(`{"filesystem":{"writable":["workspace"],"baseline":"all","sensitive":true,"read":[]}}`), []string{
		`spec filesystem baseline: "all" is not runtime or none [runtime none]`,
		`spec filesystem read: unknown field "read" [baseline blocked readonly sensitive writable]`,
		`spec filesystem sensitive: want a string, got true or false`,
		`spec filesystem writable 0: "workspace" is not an absolute path or one that begins with "**/"`,
	}},
	{"execution", "SandboxPolicy", policy(`{"execution":{"allowed_commands":[" ",["git"]],"carriers":"yes"}}`), []string{
		`spec execution allowed_commands 0: " " is not a command pattern: it is empty`,
		`spec execution allowed_commands 1: want a string, got a list`,
		`spec execution carriers: "yes" is not allow or deny [allow deny]`,
	}},
	{"extends", "SandboxPolicy", policy(`{"extends":["a","B"]}`), []string{
		`spec extends 1: "B" is not a name of lower-case letters, digits, "-" and "."`,
	}},

	{"cases of each kind", "PolicyTest", testCase(`{"request":"GET https://a.example.com/","expect":"allow"},
		{"request":{"method":"GET","url":"https://a.example.com/","websocket":true,"binary":"/usr/bin/git","ancestors":["/bin/sh"]},"expect":"deny"},
		{"file":"write /a","expect":"deny","code":"not_writable","rule":"default","mode":"enforce"},
		{"command":"a | b","expect":"deny","code":"ext_x_y","policy":"q","with":["w"],"agent":"claude"},
		{"command":["git","status"],"expect":"allow"}`), nil},
	{"no request", "PolicyTest", testCase(`{"expect":"allow"}`), []string{
		`spec cases 0: want exactly one of request, file and command`,
	}},
	{"request and command", "PolicyTest", testCase(`{"request":"GET https://a.example.com/","command":"ls","expect":"allow"}`), []string{
		`spec cases 0: want exactly one of request, file and command`,
	}},
	{"expect and code", "PolicyTest", testCase(`{"command":"ls","expect":"allowed","code":"method_not_alowed"}`), []string{
		`spec cases 0 code: "method_not_alowed" is not one of the 29 values that are known [...]`,
		`spec cases 0 expect: "allowed" is not allow or deny [allow deny]`,
	}},
	{"malformed cases", "PolicyTest", testCase(`{"request":"https://a.example.com/","expect":"allow"},{"request":{"method":"GET"},"expect":"allow"},
		{"request":7,"expect":"allow"},{"file":"/etc/passwd","expect":"allow"},{"command":"","expect":"deny"}`), []string{
		`spec cases 0 request: "https://a.example.com/" is not a method and a URL, such as "GET https://api.github.com/"`,
		`spec cases 1 request: missing field "url"`,
		`spec cases 2 request: want a string or a mapping, got a number`,
		`spec cases 3 file: "/etc/passwd" is not an operation and a path, such as "read /workspace/a"`,
		`spec cases 4 command: "" is not a command: it is empty`,
	}},
	{"no cases", "PolicyTest", strings.Replace(testCase(``), `"policies":["p.yaml"]`, `"policies":[]`, 1), []string{
		`spec cases: the list must not be empty`, `spec policies: the list must not be empty`,
	}},

	{"the wrong part", "DecisionInput", `{"kind":"exec","policy":"p","sandbox":{"id":"s"},"file":{"op":"read","path":"/a","lexical":"/a","known_blocked":false}}`, []string{
		`: missing field "exec"`, `file: field "file" is not allowed beside kind: exec`,
	}},
	{"unknown kind", "DecisionInput", `{"kind":"dns","policy":"p","sandbox":{"id":"s"}}`, []string{
		`kind: "dns" is not network, file or exec [network file exec]`,
	}},
	{"rename without target", "DecisionInput", `{"kind":"file","policy":"p","sandbox":{"id":"s"},"file":{"op":"rename","path":"/a","lexical":"/a","known_blocked":false}}`, []string{
		`file: missing field "target"`,
	}},
	{"read with target", "DecisionInput", `{"kind":"file","policy":"p","sandbox":{"id":"s"},"file":{"op":"read","path":"/a","lexical":"/a","known_blocked":false,
		"target":{"path":"/b","lexical":"/b","known_blocked":false}}}`, []string{
		`file target: field "target" is not allowed here: only rename and link have another side`,
	}},
	{"record", "Record", `{"labels":{},"decision_id":"d","path":"openshell/decision","timestamp":"yesterday","input":{},
		"custom":{"type":"decision","sandbox":"s","policy":"p","seq":-1}}`, []string{
		`custom seq: -1 is less than 0`,
		`input: missing field "kind"`, `input: missing field "policy"`, `input: missing field "sandbox"`,
		`timestamp: "yesterday" is not a date-time`,
	}},
	{"record with an erased field", "Record", `{"labels":{},"decision_id":"d","path":"openshell/decision","timestamp":"2026-11-25T10:31:05Z",
		"input":{"kind":"file"},"erased":["/input/file"],"custom":{"type":"decision","sandbox":"s","policy":"p","seq":0}}`, nil},
}

func TestValidate(t *testing.T) {
	for _, c := range validations {
		t.Run(c.name, func(t *testing.T) {
			doc := document(t, c.doc)
			got := lines(schemas.Validate(c.schema, doc))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if valid := draft7(t, c.schema)(doc); valid != (len(c.want) == 0) {
				t.Errorf("draft-07 says valid = %t", valid)
			}
		})
	}
}

func document(t testing.TB, text string) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func lines(vs []schemas.Violation) []string {
	var out []string
	for _, v := range vs {
		var path []string
		for _, step := range v.Path {
			path = append(path, fmt.Sprint(step))
		}
		line := strings.Join(path, " ") + ": " + v.Message
		switch {
		case len(v.Allowed) > 8:
			line += " [...]"
		case len(v.Allowed) > 0:
			line += fmt.Sprint(" ", v.Allowed)
		}
		out = append(out, line)
	}
	return out
}

// What JSON cannot hold is a violation, never a panic.
func TestValidateSurvives(t *testing.T) {
	loop := map[string]any{}
	loop["spec"] = loop
	docs := map[string]any{
		"a loop":          loop,
		"not a number":    map[string]any{"spec": math.NaN()},
		"infinity":        []any{math.Inf(1)},
		"a huge exponent": map[string]any{"spec": json.Number("1e999999999")},
		"not JSON":        map[string]any{"spec": map[any]any{1: 2}},
		"a struct":        struct{}{},
		"an odd key":      map[string]any{"a~1/%zz%2F": map[string]any{"~": 1}},
		"a bad byte":      map[string]any{"kind": "\xff", "\xff": nil},
		"a lone int16":    int16(3),
	}
	for name, doc := range docs {
		for _, schema := range schemas.SchemaNames() {
			got := schemas.Validate(schema, doc)
			if len(got) == 0 {
				t.Errorf("%s as %s: no violation", name, schema)
			}
		}
	}
}

// An escaped key comes back as it was written.
func TestValidatePathsAreUnescaped(t *testing.T) {
	doc := document(t, strings.Replace(policy(`{}`), `"p"`, `"p","labels":{"a/b~c%2Fd e":1}`, 1))
	got := schemas.Validate("SandboxPolicy", doc)
	if len(got) != 1 || !slices.Equal(got[0].Path, []any{"metadata", "labels", "a/b~c%2Fd e"}) {
		t.Errorf("got %v", got)
	}
}

func FuzzValidate(f *testing.F) {
	for _, c := range validations {
		f.Add(c.doc)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var doc any
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		for _, name := range schemas.SchemaNames() {
			for _, v := range schemas.Validate(name, doc) {
				if v.Message == "" || v.Keyword == "" {
					t.Errorf("%s: %+v has no message or keyword", name, v)
				}
			}
		}
	})
}
