package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/canon"
)

// A stock OPA server pulls a signed bundle from `bundle serve`, verifies it,
// answers as the engine does, follows changes, keeps what it has when it is handed
// one that was tampered with, and uploads its decision logs.
func TestStockOPAServer(t *testing.T) {
	dir := t.TempDir()
	pair, file := filepath.Join(dir, "team"), filepath.Join(dir, "bundle.tar.gz")
	mustRun(t, "keygen", pair, "--algorithm", "rsa") // the one of our two that OPA's configuration takes
	publish(t, dir, file, "a.example.com")
	ours := startServe(t, file)
	logs := &receiver{}
	upload := httptest.NewServer(logs)
	t.Cleanup(upload.Close)
	server := startOPA(t, dir, ours, upload.URL, pair+".pub")

	server.agrees(t, file, "https://a.example.com/", true)
	server.agrees(t, file, "https://b.example.com/", false)
	publish(t, dir, file, "b.example.com")
	server.eventually(t, file, "https://b.example.com/", true)
	server.agrees(t, file, "https://a.example.com/", false)

	good := read(t, file)
	publish(t, dir, file, "a.example.com", "--sign=false")
	server.logged(t, "missing .signatures.json")
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	server.agrees(t, file, "https://b.example.com/", true)
	server.agrees(t, file, "https://a.example.com/", false)
	logs.has(t, server.asked)
}

func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if status, _, stderr := call(args...); status != cli.ExitOK {
		t.Fatalf("%v ended with %d: %s", args, status, stderr)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publish compiles a policy that allows one host, signed unless args say otherwise.
func publish(t *testing.T, dir, file, host string, args ...string) {
	t.Helper()
	policy := filepath.Join(dir, "p.yaml")
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: " + host + "}]}}\n"
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{"--sign", "--key", filepath.Join(dir, "team.key")}
	}
	mustRun(t, append([]string{"compile", policy, "-o", file, "--name", "team"}, args...)...)
}

// startServe runs `bundle serve` in this process and returns its URL.
func startServe(t *testing.T, file string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- serveBundles(ctx, &serveOptions{files: []string{file}, listen: "127.0.0.1:0", stderr: out})
	}()
	address := make(chan string, 1)
	go func() {
		text := &bytes.Buffer{}
		buf := make([]byte, 512)
		for {
			n, err := said.Read(buf)
			text.Write(buf[:n])
			if m := regexp.MustCompile(`serving on (\S+)\n`).FindSubmatch(text.Bytes()); m != nil && len(address) == 0 {
				select {
				case address <- string(m[1]):
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("bundle serve: %v", err)
		}
		_ = out.Close()
	})
	select {
	case a := <-address:
		return "http://" + a
	case err := <-done:
		t.Fatalf("bundle serve: %v", err)
	}
	return ""
}

// opaServer is a running `opa run --server`.
type opaServer struct {
	url   string
	log   *logBuffer
	asked int
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func startOPA(t *testing.T, dir, bundles, logs, public string) *opaServer {
	t.Helper()
	config := map[string]any{
		"services": map[string]any{"ours": map[string]any{"url": bundles}, "logs": map[string]any{"url": logs}},
		"keys":     map[string]any{"team": map[string]any{"algorithm": "RS256", "key": string(read(t, public))}},
		"bundles": map[string]any{"team": map[string]any{
			"service": "ours", "resource": "/bundles/team", "signing": map[string]any{"keyid": "team"},
			"polling": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1, "long_polling_timeout_seconds": 10},
		}},
		"decision_logs": map[string]any{"service": "logs", "reporting": map[string]any{"min_delay_seconds": 1, "max_delay_seconds": 1}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "opa.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	s := &opaServer{url: "http://" + address, log: &logBuffer{}}
	command := exec.Command(stockOPA(t), "run", "--server", "--addr", address, "--config-file", file, "--log-level", "info", "--skip-version-check")
	command.Stdout, command.Stderr = s.log, s.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
	s.until(t, "it has the bundle", func() bool {
		resp, err := http.Get(s.url + "/health?bundles")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *opaServer) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after a minute: %s\n%s", what, s.log)
		}
	}
}

func (s *opaServer) logged(t *testing.T, word string) {
	t.Helper()
	s.until(t, "OPA logs "+word, func() bool { return strings.Contains(s.log.String(), word) })
}

// ask returns what OPA decides of a request.
func (s *opaServer) ask(t *testing.T, in *schemas.DecisionInput) schemas.Decision {
	t.Helper()
	body, err := json.Marshal(map[string]any{"input": in})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(s.url+"/v1/data/openshell/decision?strict-builtin-errors=true", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	s.asked++
	var out struct{ Result schemas.Decision }
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out.Result
}

// agrees holds OPA's answer to the engine's, but for the revision, which is of the
// file that it refused.
func (s *opaServer) agrees(t *testing.T, file, url string, allow bool) {
	t.Helper()
	in := request(t, url)
	g, err := rego.New(rego.Options{}).Load(read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g.Decide(t.Context(), in), s.ask(t, in)); diff != "" {
		t.Errorf("%s: ours (-) OPA's (+):\n%s", url, diff)
	}
	if got := s.ask(t, in); got.Allow != allow {
		t.Errorf("%s: OPA says %+v", url, got)
	}
}

func (s *opaServer) eventually(t *testing.T, file, url string, allow bool) {
	t.Helper()
	in := request(t, url)
	s.until(t, "it follows a change", func() bool { return s.ask(t, in).Allow == allow })
	s.agrees(t, file, url, allow)
}

func request(t *testing.T, url string) *schemas.DecisionInput {
	t.Helper()
	r, err := canon.ParseRequest("GET", url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := canon.Network(r)
	if err != nil {
		t.Fatal(err)
	}
	return &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "p", Network: &c.Readings[0]}
}

// receiver is a decision-log service: gzipped arrays of events.
type receiver struct {
	mu     sync.Mutex
	events []event
	faults []error
}

type event struct {
	DecisionID string `json:"decision_id"`
	Path       string
	Bundles    map[string]struct{ Revision string }
	Result     schemas.Decision
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	events, err := decodeEvents(req)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.faults = append(r.faults, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.events = append(r.events, events...)
}

func decodeEvents(req *http.Request) ([]event, error) {
	if req.Method != http.MethodPost || req.URL.Path != "/logs" || req.Header.Get("Content-Encoding") != "gzip" {
		return nil, fmt.Errorf("%s %s, %v", req.Method, req.URL, req.Header)
	}
	zip, err := gzip.NewReader(req.Body)
	if err != nil {
		return nil, err
	}
	var events []event
	return events, errors.Join(json.NewDecoder(zip).Decode(&events), zip.Close())
}

// has waits for as many events as questions were asked, each with the revision that
// decided it.
func (r *receiver) has(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		r.mu.Lock()
		got, faults := append([]event(nil), r.events...), r.faults
		r.mu.Unlock()
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if len(got) < n && time.Now().Before(end) {
			continue
		}
		if len(got) != n || n < 8 {
			t.Errorf("got %d events, %d questions were asked", len(got), n)
		}
		for _, e := range got {
			if e.DecisionID == "" || e.Path != "openshell/decision" || e.Bundles["team"].Revision != e.Result.Revision || e.Result.Code == "" {
				t.Errorf("got %+v", e)
			}
		}
		return
	}
}
