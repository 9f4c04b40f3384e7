package receive_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/audit/receive"
	"github.com/openshell-policy/openshell/schemas"
)

func handler(t *testing.T, opts receive.Options) (*receive.Handler, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "received")
	h, err := receive.New(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h, dir
}

func event(id, label string) string {
	return fmt.Sprintf(`{"labels":{"id":%q},"decision_id":%q,"path":"openshell/decision","timestamp":"2026-11-25T10:00:00Z","result":{"allow":false,"code":"host_not_in_policy","policy":"p"},`+
		`"input":{"kind":"network","policy":"p","sandbox":{"id":"sb-a1b2c3"},"network":{"host":"x.test","port":443,"method":"GET","path":"/a","query":{"token":["hunter2"]}}},`+
		`"custom":{"type":"decision","sandbox":"sb-a1b2c3","policy":"p","code":"host_not_in_policy","seq":7}}`, label, id)
}

func gz(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func post(h http.Handler, body []byte, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/logs", bytes.NewReader(body))
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func kept(t *testing.T, dir string) []*schemas.Record {
	t.Helper()
	var out []*schemas.Record
	for r, err := range audit.Records(dir, audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestEachSenderHasItsLog(t *testing.T) {
	who := ""
	h, dir := handler(t, receive.Options{Sender: func(*http.Request) string { return who }})
	for _, step := range []struct{ sender, body string }{
		{"", "[" + event("d-1", "opa-1") + "," + event("d-2", "opa-2") + "," + event("d-3", "opa-1") + "]"},
		{"shim-sb-a1b2c3", "[" + event("d-4", "opa-1") + "]"},
		{"", "[]"},
	} {
		who = step.sender
		if w := post(h, gz(t, step.body), "gzip"); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]string{"unproven/opa-1": "d-1 d-3", "unproven/opa-2": "d-2", "proven/shim-sb-a1b2c3": "d-4"} {
		var got []string
		for _, r := range kept(t, filepath.Join(dir, folder)) {
			got = append(got, r.DecisionID)
			if q := r.Input.Network.Query["token"]; len(q) != 1 || q[0] != audit.Masked {
				t.Errorf("%s: a secret was kept: %q", folder, q)
			}
			if r.Custom.Seq == 7 {
				t.Errorf("%s: the sender chose the number", folder)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", folder, got, want)
		}
	}
	logs, err := query.Logs([]string{dir})
	if err != nil || len(logs) != 3 {
		t.Errorf("%q, %v", logs, err)
	}
}

func TestRefused(t *testing.T) {
	good := event("d-1", "x")
	deep := strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20000)
	tests := []struct {
		name, body, encoding string
		status               int
	}{
		{"no array", good, "", 400},
		{"cut", "[" + good, "", 400},
		{"more", "[" + good + "][]", "", 400},
		{"no event", "[7]", "", 400},
		{"no id", `[{"timestamp":"2026-11-25T10:00:00Z"}]`, "", 400},
		{"no time", `[{"decision_id":"x","result":true}]`, "", 400},
		{"empty", "", "", 400},
		{"not gzip", "[" + good + "]", "gzip", 400},
		{"other encoding", "[" + good + "]", "br", 415},
		{"a log's own record", "[" + strings.Replace(good, `"type":"decision"`, `"type":"recovered"`, 1) + "]", "", 400},
		{"an admin action", "[" + strings.Replace(good, `"type":"decision"`, `"type":"admin"`, 1) + "]", "", 400},
		{"a path for a name", "[" + event("d-1", "../../x") + "]", "", 400},
		{"an absolute path", "[" + event("d-1", "/etc") + "]", "", 400},
		{"dots", "[" + event("d-1", "a..b") + "]", "", 400},
		{"NUL", "[" + event("d-1", "a\x00") + "]", "", 400},
		{"deep", "[" + deep + "]", "", 400},
		{"large", "[" + strings.Repeat(" ", 70_000) + good + "]", "", 413},
		{"a bomb", string(gz(t, "["+strings.Repeat(" ", 8<<20)+"]")), "gzip", 413},
		{"a bomb in an event", string(gz(t, `[{"decision_id":"`+strings.Repeat("x", 8<<20)+`"}]`)), "gzip", 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h, dir := handler(t, receive.Options{MaxBody: 64 << 10, MaxPlain: 1 << 20})
			w := post(h, []byte(test.body), test.encoding)
			var answer struct{ Code, Message string }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != test.status || answer.Code != "logs_refused" || answer.Message == "" {
				t.Errorf("got %d %s, want %d (%v)", w.Code, w.Body, test.status, err)
			}
			if names, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(names) > 0 {
				t.Errorf("something was kept: %q", names)
			}
		})
	}
	h, _ := handler(t, receive.Options{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/logs", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestSenderMustBeAName(t *testing.T) {
	h, dir := handler(t, receive.Options{Sender: func(*http.Request) string { return "../x" }})
	if w := post(h, []byte("["+event("d", "x")+"]"), ""); w.Code != http.StatusForbidden {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "x")); err == nil {
		t.Error("it got out")
	}
}

func TestSendersAreBounded(t *testing.T) {
	h, _ := handler(t, receive.Options{MaxSenders: 3})
	var body strings.Builder
	for i := range 4 {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(event("d", fmt.Sprintf("opa-%d", i)))
	}
	if w := post(h, []byte("["+body.String()+"]"), ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestStockOPA: an unmodified OPA server uploads its decisions to us.
func TestStockOPA(t *testing.T) {
	opa, err := filepath.Abs("../../.cache/bin/opa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(opa); err != nil {
		if opa, err = exec.LookPath("opa"); err != nil {
			t.Fatal("there is no opa command: make tools builds it")
		}
	}
	h, dir := handler(t, receive.Options{})
	mux := http.NewServeMux()
	mux.Handle("/logs", h)
	srv := httptest.NewServer(mux)
	defer srv.Close()
	folder := t.TempDir()
	config := fmt.Sprintf("services: {us: {url: %s}}\nlabels: {team: x}\ndecision_logs: {service: us, reporting: {min_delay_seconds: 1, max_delay_seconds: 1}}\n", srv.URL)
	policy := "package authz\n\ndefault allow := false\n\nallow if input.user == \"alice\"\n"
	write(t, filepath.Join(folder, "config.yaml"), config)
	write(t, filepath.Join(folder, "authz.rego"), policy)
	socket := filepath.Join(folder, "opa.sock")
	cmd := exec.Command(opa, "run", "--server", "--addr", "unix://"+socket, "--config-file", filepath.Join(folder, "config.yaml"), "--disable-telemetry", filepath.Join(folder, "authz.rego"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	client := overSocket(socket)
	for i, user := range []string{"alice", "bob", "carol"} {
		ask(t, client, fmt.Sprintf(`{"input":{"user":%q,"n":%d}}`, user, i))
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		verdicts := map[string]int{}
		if logs, err := query.Logs([]string{dir}); err == nil {
			for e, err := range query.Events(logs, query.Filter{Type: schemas.RecordDecision}) {
				if err != nil {
					t.Fatal(err)
				}
				verdicts[e.Fields.Verdict()]++
			}
		}
		if verdicts["allow"] == 1 && verdicts["deny"] == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v\n%s", verdicts, out.String())
		}
		time.Sleep(50 * time.Millisecond)
	}
}
