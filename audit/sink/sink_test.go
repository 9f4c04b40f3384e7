package sink_test

import (
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
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/sink"
	"github.com/openshell-policy/openshell/schemas"
)

func record(n int) *schemas.Record {
	return &schemas.Record{
		Labels: map[string]string{"id": "gw"}, DecisionID: fmt.Sprintf("d-%d", n), Path: "openshell/decision", Timestamp: time.Unix(int64(n), 5),
		Input: &schemas.DecisionInput{Kind: schemas.KindNetwork, Policy: "p", Sandbox: schemas.Sandbox{ID: "sb-a1b2c3"}, Network: &schemas.NetworkInput{
			Host: "x.test", Method: "GET", Path: "/a", Query: map[string][]string{},
		}},
		Result: &schemas.Decision{Code: schemas.CodeHostNotInPolicy, Policy: "p", Rule: "default"},
		Custom: schemas.Custom{Type: "decision", Sandbox: "sb-a1b2c3", Policy: "p", Code: schemas.CodeHostNotInPolicy},
	}
}

func openLog(t *testing.T, dir string, opts audit.Options) *audit.Log {
	t.Helper()
	opts.Mode = audit.Bounded
	l, err := audit.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func fill(t *testing.T, l *audit.Log, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := l.Append(context.Background(), record(n)); err != nil {
			t.Fatal(err)
		}
	}
}

// receiver takes decision logs as OPA's documentation of the service says: POST
// of a gzip-compressed array of events to /logs. It can be told to fail.
type receiver struct {
	mu       sync.Mutex
	got      map[string]int // how often, by decision id
	requests int
	largest  int // records in one request
	fail     func(w http.ResponseWriter, request int, ids []string) bool
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost || req.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(req.Header.Get("Content-Type"), "application/json") {
		http.Error(w, "not as OPA sends it", http.StatusBadRequest)
		return
	}
	zr, err := gzip.NewReader(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var events []struct {
		DecisionID string `json:"decision_id"`
	}
	if err := json.NewDecoder(zr).Decode(&events); err != nil || len(events) == 0 {
		http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.DecisionID)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.largest = max(r.largest, len(ids))
	if r.fail != nil && r.fail(w, r.requests, ids) {
		return
	}
	if r.got == nil {
		r.got = map[string]int{}
	}
	for _, id := range ids {
		r.got[id]++
	}
}

// decisions counts those of the log's decisions that arrived; the log's own
// records have ids of their own.
func (r *receiver) decisions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for id := range r.got {
		if strings.HasPrefix(id, "d-") {
			n++
		}
	}
	return n
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited long for %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// running runs a sink until stop is called.
func running(t *testing.T, s sink.Sender, opts sink.Options) (r *sink.Runner, stop func()) {
	t.Helper()
	opts.Delay = 10 * time.Millisecond
	opts.Name = "test"
	r, err := sink.NewRunner(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return r, stop
}

func TestEverythingArrives(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, filepath.Join(dir, "log"), audit.Options{SegmentBytes: 16 << 10})
	fill(t, l, 1, 500)
	rec := &receiver{}
	srv := httptest.NewServer(rec)
	defer srv.Close()
	opts := sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")}
	r, stop := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL + "/logs"}}, opts)
	until(t, "what was there", func() bool { return rec.decisions() == 500 })
	fill(t, l, 501, 700)
	until(t, "what came", func() bool { return rec.decisions() == 700 })
	until(t, "the position", func() bool { return r.Status().Sent >= 700 })
	stop()
	fill(t, l, 701, 800)
	_, stop = running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL + "/logs"}}, opts)
	until(t, "what came while it was away", func() bool { return rec.decisions() == 800 })
	stop()
	for id, n := range rec.got {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}

// TestReceiverIsKilledAndRestarted: connections cut in the middle of a request
// and of an answer, a port that nobody listens on, and the sink itself restarted.
func TestReceiverIsKilledAndRestarted(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, filepath.Join(dir, "log"), audit.Options{SegmentBytes: 64 << 10})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	rec := &receiver{}
	serve := func(l net.Listener) *http.Server {
		srv := &http.Server{Handler: rec}
		go srv.Serve(l)
		return srv
	}
	srv := serve(listener)
	opts := sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")}
	upload := &sink.OPA{HTTP: sink.HTTP{URL: "http://" + address + "/logs", MaxBytes: 2048}}
	r, stop := running(t, upload, opts)
	for round := range 8 {
		fill(t, l, round*250+1, round*250+250)
		srv.Close() // cuts what is on its way
		if round%3 == 2 {
			stop()
			r, stop = running(t, upload, opts)
		}
		until(t, "the port", func() bool { listener, err = net.Listen("tcp", address); return err == nil })
		srv = serve(listener)
	}
	until(t, "all of it", func() bool { return rec.decisions() == 2000 })
	stop()
	srv.Close()
	if s := r.Status(); s.Rejected != 0 || s.Missed != 0 {
		t.Errorf("%+v", s)
	}
}

func TestReceiverThatFails(t *testing.T) {
	status := func(code int, header ...string) func(http.ResponseWriter, int, []string) bool {
		return func(w http.ResponseWriter, request int, _ []string) bool {
			if request > 3 {
				return false
			}
			if len(header) == 2 {
				w.Header().Set(header[0], header[1])
			}
			w.WriteHeader(code)
			return true
		}
	}
	tests := []struct {
		name     string
		fail     func(w http.ResponseWriter, request int, ids []string) bool
		rejected uint64
	}{
		{"500", status(500), 0},
		{"503", status(503, "Retry-After", "0"), 0},
		{"429", status(429), 0},
		{"404", status(404), 0},
		{"401", status(401), 0},
		{"redirect", status(307, "Location", "http://example.com/"), 0},
		{"413", status(413), 0},
		{"one is poison", func(w http.ResponseWriter, _ int, ids []string) bool {
			for _, id := range ids {
				if id == "d-37" {
					http.Error(w, "no \x1b[2J", http.StatusBadRequest)
					return true
				}
			}
			return false
		}, 1},
		{"one is too large", func(w http.ResponseWriter, _ int, ids []string) bool {
			for _, id := range ids {
				if id == "d-11" {
					w.WriteHeader(http.StatusRequestEntityTooLarge)
					return true
				}
			}
			return false
		}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			fill(t, openLog(t, filepath.Join(dir, "log"), audit.Options{}), 1, 100)
			rec := &receiver{fail: test.fail}
			srv := httptest.NewServer(rec)
			defer srv.Close()
			var reported []string
			r, stop := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL}}, sink.Options{
				Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state"), Report: func(err error) { reported = append(reported, err.Error()) },
			})
			until(t, "the rest", func() bool { return rec.decisions() == 100-int(test.rejected) && r.Status().Next > 100 })
			stop()
			if s := r.Status(); s.Rejected != test.rejected {
				t.Errorf("%+v", s)
			}
			if test.rejected > 0 && len(reported) == 0 {
				t.Error("nobody was told")
			}
			if strings.Contains(strings.Join(reported, ""), "\x1b") {
				t.Errorf("dangerous on a terminal: %q", reported)
			}
		})
	}
}

// TestNothingIsGivenUp: a receiver that refuses everything is broken; when it is
// mended, it gets all.
func TestNothingIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, filepath.Join(dir, "log"), audit.Options{})
	fill(t, l, 1, 5)
	rec := &receiver{fail: func(w http.ResponseWriter, request int, _ []string) bool {
		if request < 40 {
			w.WriteHeader(http.StatusBadRequest)
		}
		return request < 40
	}}
	srv := httptest.NewServer(rec)
	defer srv.Close()
	r, stop := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL}}, sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")})
	until(t, "a refusal", func() bool { return r.Status().Failures > 0 })
	fill(t, l, 6, 10)
	until(t, "all", func() bool { return rec.decisions() == 10 })
	stop()
	if s := r.Status(); s.Rejected != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRequestsAreSmall(t *testing.T) {
	dir := t.TempDir()
	fill(t, openLog(t, filepath.Join(dir, "log"), audit.Options{}), 1, 300)
	rec := &receiver{}
	srv := httptest.NewServer(http.MaxBytesHandler(rec, 2000))
	defer srv.Close()
	_, stop := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL, MaxBytes: 2000}}, sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")})
	until(t, "all", func() bool { return rec.decisions() == 300 })
	stop()
	if rec.largest >= 300 || rec.largest < 2 {
		t.Errorf("up to %d records in a request", rec.largest)
	}
}

func TestTokenIsReadEachTime(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("first\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("Authorization"))
		if len(seen) == 1 {
			_ = os.WriteFile(token, []byte("second"), 0o600)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	fill(t, openLog(t, filepath.Join(dir, "log"), audit.Options{}), 1, 3)
	r, _ := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL, TokenFile: token}}, sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")})
	until(t, "the second token", func() bool { return r.Status().Next > 3 })
	mu.Lock()
	defer mu.Unlock()
	if seen[0] != "Bearer first" || seen[1] != "Bearer second" {
		t.Errorf("%q", seen)
	}
}

func TestPositionOfAnotherLog(t *testing.T) {
	dir := t.TempDir()
	opts := sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")}
	for round := range 2 {
		if err := os.RemoveAll(opts.Log); err != nil {
			t.Fatal(err)
		}
		l := openLog(t, opts.Log, audit.Options{})
		fill(t, l, 1, 20)
		rec := &receiver{}
		srv := httptest.NewServer(rec)
		_, stop := running(t, &sink.OPA{HTTP: sink.HTTP{URL: srv.URL}}, opts)
		until(t, fmt.Sprintf("log %d", round+1), func() bool { return rec.decisions() == 20 })
		stop()
		srv.Close()
		l.Close()
	}
	if err := os.WriteFile(opts.State, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sink.NewRunner(sink.Lines{W: io.Discard}, opts); err == nil || !strings.Contains(err.Error(), "not a position") {
		t.Errorf("got %v", err)
	}
}

func TestDeletedBeforeTheyWereSent(t *testing.T) {
	dir := t.TempDir()
	opts := sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")}
	l, err := audit.Open(opts.Log, audit.Options{SegmentBytes: 4 << 10})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, 1, 100)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	segs, err := audit.Segments(opts.Log)
	if err != nil || len(segs) < 3 {
		t.Fatalf("%d segments, %v", len(segs), err)
	}
	if err := os.Remove(segs[0].Path); err != nil {
		t.Fatal(err)
	}
	var told []string
	opts.Report = func(err error) { told = append(told, err.Error()) }
	var out strings.Builder
	r, stop := running(t, sink.Lines{W: &out}, opts)
	until(t, "the rest", func() bool { return r.Status().Next > 100 })
	stop()
	if s := r.Status(); s.Missed != segs[1].First-1 || len(told) != 1 {
		t.Errorf("%+v, told %q; the first segment held %d", s, told, segs[1].First-1)
	}
	if n := strings.Count(out.String(), "\n"); n != 100-int(segs[1].First-1) {
		t.Errorf("%d lines", n)
	}
}

func TestOTLP(t *testing.T) {
	dir := t.TempDir()
	fill(t, openLog(t, filepath.Join(dir, "log"), audit.Options{}), 1, 50)
	var mu sync.Mutex
	var got []*logs.LogRecord
	var service string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		zr, err := gzip.NewReader(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%v, %v", err, r.Header)
			return
		}
		body, _ := io.ReadAll(zr)
		var data logs.LogsData
		if err := proto.Unmarshal(body, &data); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		service = data.ResourceLogs[0].Resource.Attributes[0].Value.GetStringValue()
		for _, l := range data.ResourceLogs[0].ScopeLogs[0].LogRecords {
			if l.EventName == "openshell.decision" {
				got = append(got, l)
			}
		}
		// one rejected: {partial_success: {rejected_log_records: 1, error_message: "no"}}
		inner := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
		inner = protowire.AppendString(protowire.AppendTag(inner, 2, protowire.BytesType), "no")
		_, _ = w.Write(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inner))
	}))
	defer srv.Close()
	r, stop := running(t, &sink.OTLP{HTTP: sink.HTTP{URL: srv.URL + "/v1/logs"}, Log: "gw-0"}, sink.Options{Log: filepath.Join(dir, "log"), State: filepath.Join(dir, "state")})
	until(t, "all", func() bool { return r.Status().Next > 50 })
	stop()
	if len(got) != 50 || service != "openshell-gateway" {
		t.Fatalf("%d records of %q", len(got), service)
	}
	if s := r.Status(); s.Rejected == 0 || !strings.Contains(s.LastError, "1 records are not taken") {
		t.Errorf("%+v", s)
	}
	l := got[0]
	attributes := map[string]string{}
	for _, a := range l.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	for name, want := range map[string]string{
		"openshell.decision_id": "d-1", "openshell.sandbox": "sb-a1b2c3", "openshell.verdict": "deny", "server.address": "x.test", "openshell.code": "host_not_in_policy",
	} {
		if attributes[name] != want {
			t.Errorf("%s is %q, want %q", name, attributes[name], want)
		}
	}
	var body schemas.Record
	if err := json.Unmarshal([]byte(l.Body.GetStringValue()), &body); err != nil || body.DecisionID != "d-1" || l.TimeUnixNano != 1_000_000_005 || l.SeverityText != "WARN" {
		t.Errorf("%v, %+v", err, l)
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		c    sink.Config
		want string
	}{
		{"opa", sink.Config{Name: "a", Type: "opa", URL: "https://x.test/logs"}, ""},
		{"otlp here", sink.Config{Name: "a", Type: "otlp", URL: "http://127.0.0.1:4318/v1/logs"}, ""},
		{"stdout", sink.Config{Name: "a", Type: "stdout"}, ""},
		{"name", sink.Config{Name: "../a", Type: "stdout"}, "letters"},
		{"type", sink.Config{Name: "a", Type: "syslog"}, "not one of opa"},
		{"no url", sink.Config{Name: "a", Type: "opa"}, "no http"},
		{"scheme", sink.Config{Name: "a", Type: "opa", URL: "ftp://x.test"}, "no http"},
		{"password", sink.Config{Name: "a", Type: "opa", URL: "https://u:p@x.test"}, "token_file"},
		{"plain http", sink.Config{Name: "a", Type: "opa", URL: "http://x.test/logs"}, "insecure_http"},
		{"said", sink.Config{Name: "a", Type: "opa", URL: "http://x.test/logs", InsecureHTTP: true}, ""},
		{"half a key", sink.Config{Name: "a", Type: "opa", URL: "https://x.test", CertFile: "c"}, "go together"},
		{"stdout with url", sink.Config{Name: "a", Type: "stdout", URL: "https://x.test"}, "takes no"},
		{"size", sink.Config{Name: "a", Type: "opa", URL: "https://x.test", MaxBytes: -1}, "negative"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.c.Validate()
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "u:p") {
				t.Errorf("the password is in %v", err)
			}
		})
	}
	if err := sink.ValidateAll([]sink.Config{{Name: "a", Type: "stdout"}, {Name: "a", Type: "stdout"}}); err == nil {
		t.Error("a name twice")
	}
}

func TestStart(t *testing.T) {
	dir := t.TempDir()
	fill(t, openLog(t, filepath.Join(dir, "log"), audit.Options{}), 1, 10)
	rec := &receiver{}
	srv := httptest.NewServer(rec)
	defer srv.Close()
	var out safe
	ctx, cancel := context.WithCancel(context.Background())
	set, err := sink.Start(ctx, filepath.Join(dir, "log"), filepath.Join(dir, "sinks"), []sink.Config{
		{Name: "central", Type: "opa", URL: srv.URL + "/logs"}, {Name: "out", Type: "stdout"},
	}, &out, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	until(t, "both", func() bool { return rec.decisions() == 10 && strings.Count(out.String(), `"type":"decision"`) == 10 })
	cancel()
	set.Wait()
	if st := set.Status(); len(st) != 2 || st[0].Name != "central" {
		t.Errorf("%+v", st)
	}
	_, err = sink.Start(ctx, dir, dir, []sink.Config{{Name: "a", Type: "opa", URL: "https://x.test", CAFile: filepath.Join(dir, "none")}}, nil, nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// safe is a buffer that several goroutines use.
type safe struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
