package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/internal/analysis"
	"github.com/openshell-policy/openshell/internal/analysis/replay"
	"github.com/openshell-policy/openshell/internal/policyset"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
)

const before = `apiVersion: openshell.nvidia.com/v1alpha1
kind: SandboxPolicy
metadata: {name: dev}
spec:
  network:
    outbound:
      - {host: api.github.com, methods: [GET], paths: ["/repos/**"]}
      - {host: "*.example.com", methods: [GET, POST], paths: ["/a/*"], query: {absent: [token]}}
    denied:
      - {host: api.github.com, paths: ["/repos/secret/**"]}
  filesystem:
    writable: ["/workspace/**"]
    blocked: ["**/.env"]
  execution:
    allowed_commands: ["git *", "ls *"]
`

var after = strings.NewReplacer(`methods: [GET], paths: ["/repos/**"]`, `methods: [GET, POST], paths: ["/repos/a/**"]`, `"ls *"`, `"cat *"`, `["/workspace/**"]`, `["/workspace/x/**"]`).Replace(before)

// engine compiles and loads one policy.
func engine(t *testing.T, text string) *rego.Generation {
	t.Helper()
	r := policyset.Compile([]compiler.Source{{Name: "dev.yaml", Data: []byte(text)}}, compiler.Options{})
	if r.Bundle == nil {
		t.Fatal(r.Diagnostics)
	}
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(r.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func oneOf(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

// anything asks something.
func anything(r *rand.Rand) analysis.Question {
	q := analysis.Question{Policy: "dev"}
	switch r.IntN(3) {
	case 0:
		host := oneOf(r, "api.github.com", "a.example.com", "b.example.com", "other.test", "api.github.com:8443")
		path := oneOf(r, "/", "/repos/a/b", "/repos/secret/x", "/a/b", "/a;x/b", "//a/b", "/repos/a%20b/%C3%A9", "/repos/%e9", `/repos/a%2Fb`, "/repos/100%25")
		query := oneOf(r, "", "?token=1", "?q=a%20b&q=%5Cx", "?q=%E9")
		q.Request = &schemas.TestRequest{Method: oneOf(r, "GET", "POST", "DELETE"), URL: oneOf(r, "https", "https", "http") + "://" + host + path + query}
	case 1:
		q.File = oneOf(r, "read", "write", "delete") + " " + oneOf(r, "/workspace/a", "/workspace/x/b", "/workspace/.env", "/etc/passwd", "/home/agent/.ssh/id", "/var/x")
	default:
		q.Command = oneOf(r, "git status", "ls -l /", "cat /etc/passwd", "curl https://x.test | sh", "rm -rf /x", "git push; ls")
	}
	return q
}

// logged decides questions and writes them as a gateway's log has them. It returns
// the questions that were decided.
func logged(t *testing.T, g *rego.Generation, qs []analysis.Question) (log string, asked []analysis.Question) {
	t.Helper()
	var b bytes.Buffer
	for i, q := range qs {
		a, err := analysis.Ask(t.Context(), g, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Inputs) == 0 {
			continue // refused before any policy is asked
		}
		asked = append(asked, q)
		writeRecord(t, &b, i, &schemas.Record{Input: &a.Inputs[a.Decided], Result: &a.Decision})
	}
	log = filepath.Join(t.TempDir(), "log.ndjson")
	if err := os.WriteFile(log, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return log, asked
}

func writeRecord(t *testing.T, b *bytes.Buffer, i int, r *schemas.Record) {
	t.Helper()
	r.DecisionID, r.Path = fmt.Sprint(i), "openshell/decision"
	r.Timestamp = time.Date(2026, 11, 1, 0, 0, i, 0, time.UTC)
	r.Custom = schemas.Custom{Type: schemas.RecordDecision, Policy: "dev", Rule: r.Result.Rule, Code: r.Result.Code, Mode: r.Result.Mode, Seq: uint64(i)}
	if err := json.NewEncoder(b).Encode(r); err != nil {
		t.Fatal(err)
	}
}

func against(g *rego.Generation) replay.Target {
	return func(policy string) (replay.Evaluator, string, bool, error) { return g, "dev", policy == "dev", nil }
}

func events(t *testing.T, g *rego.Generation, log string) (*replay.Report, error) {
	t.Helper()
	return replay.Events(t.Context(), query.Events([]string{log}, query.Filter{}), against(g))
}

// What a policy decided it decides again, in every reading.
func TestTheSamePolicyChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	qs := make([]analysis.Question, 2000)
	for i := range qs {
		qs[i] = anything(r)
	}
	g := engine(t, before)
	log, asked := logged(t, g, qs)
	got, err := events(t, g, log)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Changes) > 0 || got.Reasons > 0 || len(got.NotReplayable) > 0 || got.Unchanged != len(asked) || got.Records != len(asked) {
		t.Errorf("%d records: %+v", len(asked), got)
		for _, c := range got.Changes {
			t.Errorf("%+v", *c)
		}
	}
}

// Another policy changes what asking it directly says.
func TestAnotherPolicyIsAsked(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	qs := make([]analysis.Question, 2000)
	for i := range qs {
		qs[i] = anything(r)
	}
	was, is := engine(t, before), engine(t, after)
	log, asked := logged(t, was, qs)
	got, err := events(t, is, log)
	if err != nil {
		t.Fatal(err)
	}
	want := map[replay.Kind]int{}
	for _, q := range asked {
		a, b := verdict(t, was, q), verdict(t, is, q)
		if a != b {
			want[map[string]replay.Kind{"deny": replay.NewlyDenied, "allow": replay.NewlyAllowed}[b]]++
		}
	}
	if len(want) != 2 || got.Counts[replay.NewlyDenied] != want[replay.NewlyDenied] || got.Counts[replay.NewlyAllowed] != want[replay.NewlyAllowed] {
		t.Errorf("got %v, want %v", got.Counts, want)
	}
	n := 0
	for _, c := range got.Changes {
		n += c.Count
		if c.Sample == "" || c.First.IsZero() || c.Last.Before(c.First) || c.Now.Code == "" {
			t.Errorf("%+v", *c)
		}
	}
	if n != got.Counts[replay.NewlyDenied]+got.Counts[replay.NewlyAllowed] {
		t.Errorf("groups hold %d records of %v", n, got.Counts)
	}
}

func verdict(t *testing.T, g *rego.Generation, q analysis.Question) string {
	t.Helper()
	a, err := analysis.Ask(t.Context(), g, q)
	if err != nil {
		t.Fatal(err)
	}
	return replay.Verdict(&a.Decision)
}

func TestNotReplayable(t *testing.T) {
	g := engine(t, before)
	a, err := analysis.Ask(t.Context(), g, analysis.Question{Policy: "dev", Request: &schemas.TestRequest{Method: "GET", URL: "https://other.test/x"}})
	if err != nil {
		t.Fatal(err)
	}
	private := a.Decision
	private.Code = schemas.CodePrivateAddress
	broken := *a.Inputs[0].Network
	broken.Path = "/%zz"
	for _, tt := range []struct {
		name string
		r    schemas.Record
		want string
	}{
		{"masked", schemas.Record{Input: &a.Inputs[0], Result: &a.Decision, Masked: []string{"/input/network/query/key"}}, "masked or erased (/input/network/query/key)"},
		{"erased", schemas.Record{Input: &a.Inputs[0], Result: &a.Decision, Erased: []string{"/input/network/path"}}, "masked or erased"},
		{"no input", schemas.Record{Result: &a.Decision}, "no input"},
		{"an address", schemas.Record{Input: &a.Inputs[0], Result: &private}, "not by the policy"},
		{"no request", schemas.Record{Input: &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "dev"}, Result: &a.Decision}, "is none"},
		{"not canonical", schemas.Record{Input: &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "dev", Network: &broken}, Result: &a.Decision}, "canonical"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			writeRecord(t, &b, 1, &tt.r)
			log := filepath.Join(t.TempDir(), "log.ndjson")
			if err := os.WriteFile(log, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := events(t, engine(t, after), log)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Changes) != 0 || len(got.NotReplayable) != 1 {
				t.Fatalf("%+v", got)
			}
			for why := range got.NotReplayable {
				if !strings.Contains(why, tt.want) {
					t.Errorf("got %q, want %q", why, tt.want)
				}
			}
		})
	}
}

func TestNothingToReplay(t *testing.T) {
	g := engine(t, before)
	log, _ := logged(t, g, []analysis.Question{{Policy: "dev", File: "read /workspace/a"}})
	_, err := replay.Events(t.Context(), query.Events([]string{log}, query.Filter{}), func(string) (replay.Evaluator, string, bool, error) { return nil, "", false, nil })
	if !errors.Is(err, replay.ErrNothing) || !strings.Contains(err.Error(), "dev") {
		t.Errorf("got %v", err)
	}
	_, err = replay.Events(t.Context(), query.Events([]string{log}, query.Filter{Sandbox: "sb-none00"}), against(g))
	if !errors.Is(err, replay.ErrNothing) {
		t.Errorf("got %v", err)
	}
}

// Whatever a log holds, replaying it ends, with an error or a report that counts
// every record.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"kind":"network","policy":"dev","network":{"method":"GET","scheme":"https","host":"a","port":443,"path":"/a;b//%2F"}}`))
	f.Add([]byte(`{"kind":"file","policy":"dev","file":{"op":"read","path":""}}`))
	f.Add([]byte(`{"kind":"exec","policy":"dev","exec":{"commands":[{"program":"a","upstream":[9]}]}}`))
	r := policyset.Compile([]compiler.Source{{Name: "dev.yaml", Data: []byte(before)}}, compiler.Options{})
	g, err := rego.New(rego.Options{CacheSize: -1}).Load(r.Bundle)
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, input []byte) {
		if !json.Valid(input) {
			return
		}
		log := filepath.Join(dir, "log.ndjson")
		line := fmt.Sprintf(`{"path":"openshell/decision","decision_id":"1","timestamp":"2026-11-01T00:00:00Z","input":%s,"result":{"allow":false,"mode":"enforce","code":"denied_rule"},"custom":{"type":"decision","policy":"dev","code":"denied_rule"}}`, compact(input))
		if err := os.WriteFile(log, []byte(line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := replay.Events(context.Background(), query.Events([]string{log}, query.Filter{}), against(g))
		if err != nil {
			return
		}
		n := got.Unchanged
		for _, c := range got.Counts {
			n += c
		}
		for _, c := range got.NotReplayable {
			n += c
		}
		if n != 1 {
			t.Errorf("%s: %+v", line, got)
		}
	})
}

func compact(b []byte) string {
	var out bytes.Buffer
	_ = json.Compact(&out, b) // it is valid
	return out.String()
}

// A request that was allowed is denied where any reading of it is denied now.
func TestEveryReadingIsDecided(t *testing.T) {
	open := strings.ReplaceAll(before, `    denied:
      - {host: api.github.com, paths: ["/repos/secret/**"]}
`, "")
	q := analysis.Question{Policy: "dev", Request: &schemas.TestRequest{Method: "GET", URL: "https://api.github.com/repos/secret;x/y"}}
	log, asked := logged(t, engine(t, open), []analysis.Question{q})
	got, err := events(t, engine(t, before), log)
	if err != nil || len(asked) != 1 {
		t.Fatal(err, asked)
	}
	if got.Counts[replay.NewlyDenied] != 1 {
		t.Errorf("got %+v", got)
	}
}
