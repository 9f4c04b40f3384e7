package query_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/schemas"
)

var start = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

// record is the n-th record of a log: every third is denied, every tenth by a
// file clause.
func record(n int) *schemas.Record {
	r := &schemas.Record{
		Labels: map[string]string{"id": "gw"}, DecisionID: fmt.Sprintf("d-%d", n), Path: "openshell/decision",
		Timestamp: start.Add(time.Duration(n) * time.Second),
		Input: &schemas.DecisionInput{
			Kind: schemas.KindNetwork, Policy: "github-readonly", Sandbox: schemas.Sandbox{ID: fmt.Sprintf("sb-aaaaa%d", n%4), Agent: "claude"},
			Network: &schemas.NetworkInput{Scheme: "https", Host: fmt.Sprintf("h%d.example.com", n%5), Port: 443, Method: "GET", Path: fmt.Sprintf("/p/%d", n)},
		},
		Result: &schemas.Decision{Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed, Rule: "outbound[0]", Policy: "github-readonly"},
	}
	if n%3 == 0 {
		r.Result.Allow, r.Result.Code, r.Result.Rule = false, schemas.CodeHostNotInPolicy, schemas.RuleDefault
	}
	if n%10 == 0 {
		r.Input.Kind, r.Input.Network = schemas.KindFile, nil
		r.Input.File = &schemas.FileInput{Op: schemas.OpRead, Path: "/etc/shadow", Lexical: "/etc/shadow"}
		r.Result.Allow, r.Result.Code = false, schemas.CodeBlockedPath
	}
	r.Custom = schemas.Custom{
		Type: schemas.RecordDecision, Sandbox: r.Input.Sandbox.ID, Agent: "claude", Policy: "github-readonly",
		Rule: r.Result.Rule, Code: r.Result.Code, Mode: r.Result.Mode, Seq: uint64(n),
	}
	return r
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines are the records as NDJSON.
func lines(t testing.TB, from, to, step int) []byte {
	var b bytes.Buffer
	for n := from; n <= to; n += step {
		b.Write(encode(t, record(n)))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func file(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ids are the decision ids of what is read.
func ids(t testing.TB, paths []string, f query.Filter) []string {
	t.Helper()
	var out []string
	for e, err := range query.Events(paths, f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(e.Fields.DecisionID))
	}
	return out
}

func wanted(from, to, step int) []string {
	var out []string
	for n := from; n <= to; n += step {
		out = append(out, fmt.Sprintf("d-%d", n))
	}
	return out
}

func gzipped(t *testing.T, data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func array(data []byte) []byte {
	return []byte("[" + strings.Join(strings.Split(strings.TrimSpace(string(data)), "\n"), ",") + "]")
}

// TestFormats: the same eight records, however they are written.
func TestFormats(t *testing.T) {
	nd := lines(t, 1, 8, 1)
	var pretty, console, prefixed bytes.Buffer
	for i, l := range bytes.Split(bytes.TrimSpace(nd), []byte("\n")) {
		if err := json.Indent(&pretty, l, "", "  "); err != nil {
			t.Fatal(err)
		}
		pretty.WriteByte('\n')
		fmt.Fprintf(&console, `{"level":"info","msg":"Received request.","req_id":%d,"time":"2026-11-25T10:00:00Z"}`+"\n", i)
		console.Write(bytes.Replace(l, []byte("{"), []byte(`{"level":"info","msg":"Decision Log","type":"openpolicyagent.org/decision_logs",`), 1))
		console.WriteString("\nplain text of a start script\n")
		fmt.Fprintf(&prefixed, "opa-1  | %s\n", l)
	}
	packed, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string][]byte{
		"ndjson": nd, "without the last newline": bytes.TrimSuffix(nd, []byte("\n")), "crlf": bytes.ReplaceAll(nd, []byte("\n"), []byte("\r\n")),
		"torn": append(bytes.Clone(nd), nd[:100]...), "array": array(nd), "pretty": pretty.Bytes(), "console": console.Bytes(), "prefixed": prefixed.Bytes(),
		"gzip": gzipped(t, nd), "gzip array": gzipped(t, array(nd)), "zstd": packed.EncodeAll(nd, nil), "blank lines": append([]byte("\n\n"), nd...),
		"two arrays":   append(array(lines(t, 1, 4, 1)), array(lines(t, 5, 8, 1))...),
		"two gzips":    append(gzipped(t, lines(t, 1, 4, 1)), gzipped(t, lines(t, 5, 8, 1))...),
		"pretty array": []byte("[\n  " + strings.ReplaceAll(strings.TrimSpace(string(nd)), "\n", ",\n  ") + "\n]\n"),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(wanted(1, 8, 1), ids(t, []string{file(t, "log", data)}, query.Filter{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForeignEvents(t *testing.T) {
	const head = `{"labels":{"id":"1","version":"1.22.2"},"decision_id":"x","path":"http/authz/allow","timestamp":"2026-11-25T10:00:00.5Z","metrics":{"timer_server_handler_ns":12,"x":"y"},`
	tests := []struct {
		name, event, verdict, code, sandbox string
	}{
		{"true", head + `"result":true}`, "allow", "allowed", ""},
		{"false", head + `"result":false,"input":"a text"}`, "deny", "", ""},
		{"object", head + `"result":{"allow":false,"reason":["x"]},"input":{"user":"x"}}`, "deny", "", ""},
		{"neither", head + `"result":["x"],"input":[1]}`, "", "", ""},
		{"undefined", head + `"input":{}}`, "", "", ""},
		{
			"ours through stock OPA", head + `"result":{"allow":false,"code":"not_readable","mode":"enforce","policy":"p","rule":"default","message":"m","revision":"r"},` +
				`"input":{"kind":"file","policy":"p","sandbox":{"id":"sb-x"},"file":{"op":"read","path":"/x","lexical":"/x","known_blocked":false}}}`, "deny", "not_readable", "sb-x",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := 0
			for e, err := range query.Events([]string{file(t, "log", []byte(test.event+"\n"))}, query.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				f := e.Fields
				if got := []string{f.Verdict(), string(f.Code), string(f.Sandbox)}; !cmp.Equal(got, []string{test.verdict, test.code, test.sandbox}) {
					t.Errorf("got %q", got)
				}
				if string(e.Raw) != test.event {
					t.Errorf("raw is %s", e.Raw)
				}
				if r, err := e.Record(); err != nil || r.Timestamp.Nanosecond() != 5e8 || r.Labels["version"] != "1.22.2" {
					t.Errorf("%+v, %v", r, err)
				}
			}
			if n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	good := string(encode(t, record(1)))
	tests := []struct{ name, data, want string }{
		{"broken line", good + "\n{\"a\":\n" + good + "\n", ":2: "},
		{"broken last line, ended", good + "\n{\"labels\":{\n", ":2: "},
		{"no decisions", "hello\nworld\n", "holds no decision (2 lines"},
		{"other JSON", `{"msg":"x"}` + "\n", "holds no decision"},
		{"array that does not end", "[" + good, "event 2"},
		{"array of numbers", "[{\"a\":1},3]", "holds no decision (2"},
		{"bad time", `{"decision_id":"x","timestamp":7,"result":true}` + "\n", ":1: "},
		{"deep", strings.Repeat(`{"input":`, 5000) + strings.Repeat("}", 5000) + "\n", "holds no decision"},
		{"cut gzip", string(gzipped(t, []byte(good+"\n"))[:60]), "unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := file(t, "log", []byte(test.data))
			var got error
			for _, err := range query.Events([]string{path}, query.Filter{}) {
				got = err
			}
			if got == nil || !strings.Contains(got.Error(), test.want) || !strings.Contains(got.Error(), path) {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
	if got := ids(t, []string{file(t, "log", nil)}, query.Filter{}); got != nil {
		t.Errorf("an empty file holds %q", got)
	}
}

func TestManyLogsAreMergedByTime(t *testing.T) {
	a, b := file(t, "a", lines(t, 1, 99, 2)), file(t, "b", array(lines(t, 2, 100, 2)))
	c := file(t, "c", nil)
	if diff := cmp.Diff(wanted(1, 100, 1), ids(t, []string{a, b, c}, query.Filter{})); diff != "" {
		t.Error(diff)
	}
	d := file(t, "d", []byte("{\"x\n\n"))
	var got error
	for _, err := range query.Events([]string{a, d}, query.Filter{}) {
		got = err
	}
	if got == nil || !strings.Contains(got.Error(), d) {
		t.Errorf("got %v", got)
	}
}

func TestFilter(t *testing.T) {
	log := file(t, "log", lines(t, 1, 60, 1))
	tests := []struct {
		name  string
		f     query.Filter
		match func(n int) bool
	}{
		{"all", query.Filter{}, func(int) bool { return true }},
		{"since", query.Filter{Since: start.Add(50 * time.Second)}, func(n int) bool { return n >= 50 }},
		{"until", query.Filter{Until: start.Add(50 * time.Second)}, func(n int) bool { return n < 50 }},
		{"sandbox", query.Filter{Sandbox: "sb-aaaaa1"}, func(n int) bool { return n%4 == 1 }},
		{"bare sandbox", query.Filter{Sandbox: "aaaaa1"}, func(n int) bool { return n%4 == 1 }},
		{"policy", query.Filter{Policy: "github"}, func(int) bool { return false }},
		{"kind", query.Filter{Kind: "file"}, func(n int) bool { return n%10 == 0 }},
		{"deny", query.Filter{Decision: "deny"}, func(n int) bool { return n%3 == 0 || n%10 == 0 }},
		{"allow", query.Filter{Decision: "allow"}, func(n int) bool { return n%3 != 0 && n%10 != 0 }},
		{"code", query.Filter{Code: "blocked_path"}, func(n int) bool { return n%10 == 0 }},
		{"host", query.Filter{Host: "H1.example.com"}, func(n int) bool { return n%5 == 1 }},
		{"hosts", query.Filter{Host: "h[12]*.com"}, func(n int) bool { return n%5 == 1 || n%5 == 2 }},
		{"method", query.Filter{Method: "read"}, func(n int) bool { return n%10 == 0 }},
		{"rule", query.Filter{Rule: "outbound[0]"}, func(n int) bool { return n%3 != 0 }},
		{"text", query.Filter{Text: "/p/1"}, func(n int) bool { return n%10 != 0 && strings.HasPrefix(fmt.Sprint(n), "1") }},
		{"quoted text", query.Filter{Text: `"`}, func(int) bool { return false }},
		{"several", query.Filter{Decision: "violation", Kind: "network", Sandbox: "sb-aaaaa1"}, func(n int) bool { return n%3 == 0 && n%10 != 0 && n%4 == 1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			for n := 1; n <= 60; n++ {
				if test.match(n) {
					want = append(want, fmt.Sprintf("d-%d", n))
				}
			}
			if diff := cmp.Diff(want, ids(t, []string{log}, test.f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, f := range map[string]query.Filter{
		"decision": {Decision: "denied"}, "kind": {Kind: "net"}, "code": {Code: "nope"}, "host": {Host: "[a"}, "time": {Since: start, Until: start},
	} {
		if err := f.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := query.Filter{Decision: "violation", Kind: "exec", Code: "ext_x_y", Host: "*.x", Since: start}
	if err := f.Check(); err != nil {
		t.Error(err)
	}
}

func FuzzFile(f *testing.F) {
	good := string(encode(f, record(1)))
	for _, seed := range []string{good + "\n", "[" + good + "]", "x {\n", "{\n\"a\":1}", "[]", "\x1f\x8b", good[:50], `[{"decision_id":"x"}][`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := file(t, "log", data)
		for e, err := range query.Events([]string{path}, query.Filter{}) {
			if err != nil {
				continue
			}
			if !json.Valid(e.Line) {
				t.Errorf("not JSON: %q", e.Line)
			}
		}
	})
}
