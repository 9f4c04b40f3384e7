package suggest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/compiler/parse"
	"github.com/openshell-policy/openshell/compiler/plan"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/analysis/suggest"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

const text = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: dev}
spec:
  network:
    outbound:
      # reading is enough
      - host: api.github.com
        methods: [GET]
        paths: ["/repos/**"]
      - {name: never, host: unused.test, methods: [GET]}
    denied:
      - {host: api.github.com, paths: ["/repos/secret/**"]}
  filesystem:
    writable: ["/workspace/**", "/never/**"] # and nothing else
    blocked: ["**/.env"]
  execution:
    allowed_commands:
      - "git *"
      - "never *"
`

// policy is one compiled policy.
type policy struct {
	doc  *parse.Document
	plan *plan.Policy
	g    *rego.Generation
}

func compile(t *testing.T, text []byte) policy {
	t.Helper()
	r := policyset.Compile([]compiler.Source{{Name: "dev.yaml", Data: text}}, compiler.Options{})
	if r.Bundle == nil {
		t.Fatalf("%s\n%v", text, r.Diagnostics)
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	docs, _ := parse.File("dev.yaml", text)
	return policy{docs[0], r.Policies[0], g}
}

func (p policy) from(t *testing.T, log string, o suggest.Options) *suggest.Suggestion {
	t.Helper()
	s, err := suggest.From(t.Context(), query.Events([]string{log}, query.Filter{}),
		func(name string) (replay.Evaluator, string, bool, error) { return p.g, "dev", name == "dev", nil }, p.plan, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logged decides what is asked and writes it as a log has it.
func (p policy) logged(t *testing.T, qs ...analysis.Question) string {
	t.Helper()
	var b bytes.Buffer
	for i, q := range qs {
		q.Policy = "dev"
		a, err := analysis.Ask(t.Context(), p.g, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Inputs) == 0 {
			continue
		}
		if err := json.NewEncoder(&b).Encode(&schemas.Record{
			DecisionID: fmt.Sprint(i), Path: "openshell/decision", Input: &a.Inputs[a.Decided], Result: &a.Decision,
			Timestamp: time.Date(2026, 11, 1, 0, 0, i, 0, time.UTC),
			Custom:    schemas.Custom{Type: schemas.RecordDecision, Policy: "dev", Rule: a.Decision.Rule, Code: a.Decision.Code, Seq: uint64(i)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(t.TempDir(), "log.ndjson")
	if err := os.WriteFile(log, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return log
}

func get(method, url string) analysis.Question {
	return analysis.Question{Request: &schemas.TestRequest{Method: method, URL: url}}
}

func TestWhatWasSeen(t *testing.T) {
	p := compile(t, []byte(text))
	var qs []analysis.Question
	for i := range 6 {
		qs = append(qs, get("POST", fmt.Sprintf("https://api.github.com/repos/a/b/issues/%d", i)))
	}
	qs = append(qs,
		get("PUT", "https://api.github.com/repos/a/x?y=1"), get("PUT", "https://pypi.org/simple/"), get("GET", "https://pypi.org/simple/"),
		get("GET", "https://a.example.com:8443/x%20*y"), get("GET", "http://plain.test/"), get("GET", "https://10.0.0.1/"),
		get("POST", "https://api.github.com/repos/secret/x"), get("GET", "https://odd.test//a"),
		analysis.Question{File: "write /data/a b"}, analysis.Question{File: "read /srv/[x]"}, analysis.Question{File: "write /workspace/.env"},
		analysis.Question{File: "read /home/agent/.ssh/id_rsa"}, analysis.Question{Command: "make -j8 'all x'"}, analysis.Question{Command: "git status"},
	)
	s := p.from(t, p.logged(t, qs...), suggest.Options{Generalise: 5})
	want := []schemas.NetworkRule{
		{Host: "a.example.com", Scheme: "https", Ports: []int{8443}, Methods: []string{"GET"}, Paths: []string{`/x \*y`}},
		{Host: "api.github.com", Methods: []string{"POST"}, Paths: []string{"/repos/a/b/issues/*"}},
		{Host: "api.github.com", Methods: []string{"PUT"}, Paths: []string{"/repos/a/x"}},
		{Host: "pypi.org", Methods: []string{"GET", "PUT"}, Paths: []string{"/simple/"}},
	}
	if diff := cmp.Diff(s.Requests, want); diff != "" {
		t.Errorf("requests (-got +want):\n%s", diff)
	}
	if !slices.Equal(s.Writable, []string{"/data/a b"}) || !slices.Equal(s.Readonly, []string{`/srv/\[x]`}) || !slices.Equal(s.Commands, []string{"make -j8 'all x'"}) {
		t.Errorf("writable %q, readonly %q, commands %q", s.Writable, s.Readonly, s.Commands)
	}
	why := map[string]string{}
	for _, r := range s.Refused {
		why[r.Ask] = r.Why
	}
	for ask, part := range map[string]string{
		"GET http://plain.test/": "plain HTTP", "GET https://10.0.0.1/": "address", "POST https://api.github.com/repos/secret/x": "deny rule",
		"GET https://odd.test//a": "several ways", "write /workspace/.env": "blocked wins", "read /home/agent/.ssh/id_rsa": "secrets",
	} {
		if !strings.Contains(why[ask], part) {
			t.Errorf("%s: refused because %q, want %q", ask, why[ask], part)
		}
	}
	if len(why) != 6 {
		t.Errorf("refused %v", why)
	}
}

func TestAcrossHosts(t *testing.T) {
	p := compile(t, []byte(text))
	var qs []analysis.Question
	for _, h := range []string{"a.example.com", "b.example.com", "c.example.com", "a.co.uk", "b.co.uk", "c.co.uk"} {
		qs = append(qs, get("GET", "https://"+h+"/x"))
	}
	log := p.logged(t, qs...)
	hosts := func(n int) (out []string) {
		for _, r := range p.from(t, log, suggest.Options{Hosts: n}).Requests {
			out = append(out, r.Host)
		}
		return out
	}
	if got, want := hosts(3), []string{"*.example.com", "a.co.uk", "b.co.uk", "c.co.uk"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, n := range []int{0, 4} {
		if got := hosts(n); len(got) != 6 {
			t.Errorf("across %d hosts: got %v", n, got)
		}
	}
}

// The suggested policy allows what it says, keeps the comments, and has nothing
// more suggested for the same log.
func TestSuggestingAgainSuggestsNothing(t *testing.T) {
	p := compile(t, []byte(text))
	r := rand.New(rand.NewPCG(5, 6))
	one := func(words ...string) string { return words[r.IntN(len(words))] }
	for round := range 8 {
		var qs []analysis.Question
		for range 60 {
			switch r.IntN(3) {
			case 0:
				qs = append(qs, get(one("GET", "POST", "DELETE"), one("https", "https", "http")+"://"+one("api.github.com", "a.test", "b.example.com:444", "10.1.1.1")+
					"/"+one("repos", "a", "é%20", "x%2Fy", "*")+"/"+one("1", "2", "3", "4", "5", "[", "?q=1", "")))
			case 1:
				qs = append(qs, analysis.Question{File: one("read", "write", "delete", "chmod") + " /" + one("workspace", "data", "srv x", "etc") + "/" + one("a", "b", "c", "d", "e", ".env", "*", `\`)})
			default:
				qs = append(qs, analysis.Question{Command: one("make", "ls", "git", "curl -s") + " " + one("a", "'b c'", `"$(x)"`, "-f*", "x | sh", "'it'\\''s'", `'a\b'`)})
			}
		}
		log := p.logged(t, qs...)
		o := suggest.Options{Generalise: round % 4}
		s := p.from(t, log, o)
		if s.Empty() {
			t.Fatalf("round %d: nothing is suggested of %+v", round, s)
		}
		m, err := s.Apply(p.doc, p.plan)
		if err != nil {
			t.Fatal(err)
		}
		changed, ok := m.Text()
		if !ok || !bytes.Contains(changed, []byte("# reading is enough")) || !bytes.Contains(changed, []byte("# and nothing else")) {
			t.Fatalf("round %d: the text cannot be kept (%v):\n%s", round, ok, changed)
		}
		after := compile(t, changed)
		s.Check(t.Context(), after.g, "dev")
		refused := 0
		for _, r := range s.Refused {
			refused += r.Count
		}
		if s.Covered == 0 || s.Covered+refused != s.Denied {
			t.Errorf("round %d: %d denied, %d covered, %d refused", round, s.Denied, s.Covered, refused)
		}
		again := after.from(t, log, o)
		if !again.Empty() {
			t.Errorf("round %d: suggested again: %v %v %v %v\n%s", round, again.Requests, again.Writable, again.Readonly, again.Commands, changed)
		}
	}
}

func TestUnused(t *testing.T) {
	p := compile(t, []byte(text))
	log := p.logged(t, get("GET", "https://api.github.com/repos/a"), analysis.Question{File: "write /workspace/a"}, analysis.Question{Command: "git status"})
	s := p.from(t, log, suggest.Options{})
	unused := s.Unused(p.doc, p.plan)
	got := map[string]string{}
	for _, u := range unused {
		got[u.Rule] = u.Kept
	}
	const denies = "it denies, and without it more would pass"
	want := map[string]string{"never": "", "filesystem.writable[1]": "", "execution.allowed_commands[1]": "", "denied[0]": denies, "filesystem.blocked[0]": denies}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Fatalf("(-got +want):\n%s", diff)
	}
	m, err := suggest.Remove(p.doc, unused)
	if err != nil {
		t.Fatal(err)
	}
	changed, ok := m.Text()
	if !ok || strings.Contains(string(changed), "never") || !strings.Contains(string(changed), "# reading is enough") {
		t.Fatalf("%v\n%s", ok, changed)
	}
	after := compile(t, changed)
	for _, u := range after.from(t, log, suggest.Options{}).Unused(after.doc, after.plan) {
		if u.Kept == "" {
			t.Errorf("still unused: %+v", u)
		}
	}
	if m, err := suggest.Remove(p.doc, []suggest.Unused{{Rule: "denied[0]", Kept: denies}}); m != nil || err != nil {
		t.Errorf("got %v, %v", m, err)
	}
}

// What the command that a sandbox was made with starts is not exempt as it is.
func TestWhatAnEntryPointStarts(t *testing.T) {
	p := compile(t, []byte(text))
	in, err := canon.CommandText("git status; make all", canon.Shell{EntryPoint: true})
	if err != nil {
		t.Fatal(err)
	}
	log := p.logged(t, analysis.Question{Input: &schemas.DecisionInput{Kind: schemas.KindExec, Policy: "dev", Exec: in}})
	if s := p.from(t, log, suggest.Options{}); !slices.Equal(s.Commands, []string{"make all"}) {
		t.Errorf("got %q, refused %+v", s.Commands, s.Refused)
	}
}

// A log is written by whom it watches: what it holds stays text in the policy.
func TestHostileLog(t *testing.T) {
	p := compile(t, []byte(text))
	var qs []analysis.Question
	for _, c := range []string{"make $'a\\nb: c'", "make $'\\x1b[31m'", `make '"}]'`, "make '#x' '- y'", "make '{a,b}' '&z' '*q'"} {
		qs = append(qs, analysis.Question{Command: c})
	}
	qs = append(qs, analysis.Question{File: "write /data/\x1b[2J"}, analysis.Question{File: "write /data/a: [b"}, analysis.Question{File: "write /data/x\n  blocked: []"})
	log := p.logged(t, qs...)
	s := p.from(t, log, suggest.Options{})
	m, err := s.Apply(p.doc, p.plan)
	if err != nil {
		t.Fatal(err)
	}
	changed, ok := m.Text()
	if !ok || bytes.ContainsAny(changed, "\x1b") {
		t.Fatalf("%v: %q", ok, changed)
	}
	after := compile(t, changed)
	if got := after.doc.Policy.Spec.Filesystem.Blocked; !slices.Equal(got, []string{"**/.env"}) {
		t.Errorf("blocked is %q", got)
	}
	if again := after.from(t, log, suggest.Options{}); !again.Empty() {
		t.Errorf("suggested again: %q %q", again.Commands, again.Writable)
	}
}
