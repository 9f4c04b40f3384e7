package remote

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// taker is a gateway that takes records.
type taker struct {
	mu     sync.Mutex
	paths  []string
	status func(paths []string) int
}

func (g *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var paths []string
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		var rec schemas.Record
		if json.Unmarshal(s.Bytes(), &rec) == nil && rec.Input.File != nil {
			paths = append(paths, rec.Input.File.Path)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	status := g.status(paths)
	if status == http.StatusNoContent {
		g.paths = append(g.paths, paths...)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "0.01")
	}
	w.WriteHeader(status)
}

func (g *taker) set(status func([]string) int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
}

func (g *taker) taken() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.paths, " ")
}

func always(status int) func([]string) int { return func([]string) int { return status } }

func newTaker(t *testing.T, status func([]string) int) (*taker, *Reporter) {
	t.Helper()
	g := &taker{status: status}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{URL: server.URL, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	return g, NewReporter(c, func(error) {})
}

func record(path string) *schemas.Record {
	return &schemas.Record{
		Input:  &schemas.DecisionInput{Kind: schemas.KindFile, File: &schemas.FileInput{Op: schemas.OpRead, Path: path}},
		Result: &schemas.Decision{}, Custom: schemas.Custom{Type: schemas.RecordDecision},
	}
}

func TestReporter_KeepsOrderAndSendsTheRestAtTheEnd(t *testing.T) {
	tries := 0
	g, r := newTaker(t, nil)
	g.set(func([]string) int {
		if tries++; tries < 3 {
			return http.StatusTooManyRequests
		}
		return http.StatusNoContent
	})
	var want []string
	for i := range 100 {
		want = append(want, fmt.Sprintf("/f%d", i))
		if err := r.Append(record(want[i])); err != nil {
			t.Fatal(err)
		}
	}
	if lost := r.Close(time.Minute); lost != 0 {
		t.Errorf("%d lost", lost)
	}
	if got := g.taken(); got != strings.Join(want, " ") {
		t.Errorf("got %s", got)
	}
	if err := r.Append(record("/after")); err == nil {
		t.Error("a closed reporter takes records")
	}
}

// A record that the gateway refuses is lost alone, and counted.
func TestReporter_OneBadRecord(t *testing.T) {
	g, r := newTaker(t, func(paths []string) int {
		for _, p := range paths {
			if p == "/bad" {
				return http.StatusBadRequest
			}
		}
		return http.StatusNoContent
	})
	for _, p := range []string{"/a", "/bad", "/b"} {
		if err := r.Append(record(p)); err != nil {
			t.Fatal(err)
		}
	}
	if lost := r.Close(time.Minute); lost != 1 || g.taken() != "/a /b" {
		t.Errorf("%d lost, taken %s", lost, g.taken())
	}
}

// A full queue makes who adds to it wait, then refuses, and takes records again
// once there is room.
func TestReporter_FullQueue(t *testing.T) {
	g, r := newTaker(t, always(http.StatusServiceUnavailable))
	r.patience = time.Millisecond
	for i := range MaxQueued {
		if err := r.Append(record("/a")); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	for range 2 {
		if err := r.Append(record("/b")); !errors.Is(err, ErrOverdue) {
			t.Fatalf("got %v, want ErrOverdue", err)
		}
	}
	g.set(always(http.StatusNoContent))
	for end := time.Now().Add(time.Minute); r.Append(record("/c")) != nil; {
		if time.Now().After(end) {
			t.Fatal("there is never room again")
		}
	}
	if lost := r.Close(time.Minute); lost != 0 || strings.Count(g.taken(), "/a") != MaxQueued || !strings.HasSuffix(g.taken(), "/c") {
		t.Errorf("%d lost, %d taken", lost, strings.Count(g.taken(), "/a"))
	}
}

func TestReporter_CountsWhatNobodyTook(t *testing.T) {
	_, r := newTaker(t, always(http.StatusServiceUnavailable))
	for range 7 {
		if err := r.Append(record("/a")); err != nil {
			t.Fatal(err)
		}
	}
	if lost := r.Close(time.Millisecond); lost != 7 {
		t.Errorf("%d lost, want 7", lost)
	}
}

// A record that is too long for a line keeps its program and loses its arguments.
func TestEncode_LongArguments(t *testing.T) {
	rec := record("")
	rec.Input = &schemas.DecisionInput{Kind: schemas.KindExec, Exec: &schemas.ExecInput{Commands: []schemas.Command{
		{Program: "git", Args: []string{strings.Repeat("word ", maxLine)}}, {Program: "next"},
	}}}
	line, err := encode(rec)
	if err != nil || len(line) > maxLine || !strings.Contains(string(line), `"git"`) || len(rec.Input.Exec.Commands) != 2 {
		t.Errorf("%d bytes, %v: %.200s", len(line), err, line)
	}
}

func TestEnviron(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{URL: "http://openshell-gateway.agents:8080", TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Environ([]string{
		"A=b", "HTTP_PROXY=http://openshell-gateway:8080", "https_proxy=openshell-gateway.agents.svc:8080", "ALL_PROXY=http://other:8080", "HTTPS_PROXY=http://openshell-gateway:9",
	}, "sb-a1b2c3")
	with := "http://sb-a1b2c3:s3cret@openshell-gateway.agents:8080"
	want := []string{"A=b", "HTTP_PROXY=" + with, "https_proxy=" + with, "ALL_PROXY=http://other:8080", "HTTPS_PROXY=http://openshell-gateway:9", "http_proxy=" + with}
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
}
