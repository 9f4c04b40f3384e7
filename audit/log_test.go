package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

func openLog(t *testing.T, path string, opts audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func sample(path string) *schemas.Record {
	return &schemas.Record{
		Labels: map[string]string{"id": "g1"}, DecisionID: "d1", Path: "openshell/decision",
		Input: &schemas.DecisionInput{Kind: schemas.KindNetwork, Network: &schemas.NetworkInput{
			Scheme: "https", Host: "api.github.com", Port: 443, Method: "GET", Path: path,
		}},
		Result:    &schemas.Decision{Allow: true, Mode: schemas.ModeEnforce, Code: schemas.CodeAllowed},
		Timestamp: time.Now(),
		Custom:    schemas.Custom{Type: schemas.RecordDecision, Sandbox: "sb-a1b2c3", Code: schemas.CodeAllowed},
	}
}

func readAll(t *testing.T, path string) []*schemas.Record {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []*schemas.Record
	if err := audit.Read(f, func(r *schemas.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAppendNumbersFromManyWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	l := openLog(t, path, audit.Options{Sync: true})
	var wg sync.WaitGroup
	seen := make([]uint64, 200)
	for i := range seen {
		wg.Go(func() {
			r := sample("/x")
			if err := l.Append(context.Background(), r); err != nil {
				t.Error(err)
			}
			seen[i] = r.Custom.Seq
		})
	}
	wg.Wait()
	got := readAll(t, path)
	if len(got) != len(seen) {
		t.Fatalf("got %d records, want %d", len(got), len(seen))
	}
	for i, r := range got {
		if r.Custom.Seq != uint64(i+1) {
			t.Fatalf("record %d has seq %d", i+1, r.Custom.Seq)
		}
	}
	unique := map[uint64]bool{}
	for _, s := range seen {
		unique[s] = true
	}
	if len(unique) != len(seen) || unique[0] {
		t.Errorf("callers saw %d different numbers, want %d", len(unique), len(seen))
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), os.FileMode(0o600); got != want {
		t.Errorf("mode %v, want %v", got, want)
	}
}

func TestReopenContinuesAndCutsTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	l := openLog(t, path, audit.Options{})
	for range 3 {
		if err := l.Append(context.Background(), sample("/x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"labels":{"id"`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	l = openLog(t, path, audit.Options{})
	r := sample("/y")
	if err := l.Append(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if got, want := r.Custom.Seq, uint64(4); got != want {
		t.Errorf("seq %d, want %d", got, want)
	}
	if got, want := len(readAll(t, path)), 4; got != want {
		t.Errorf("%d records, want %d", got, want)
	}
}

func TestAppendFailsOnFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	l, err := audit.Open("/dev/full", audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Append(context.Background(), sample("/x")); err == nil {
			t.Fatal("append to a full disk succeeded")
		}
	}
	if err := l.Close(); err == nil {
		t.Error("close hides the write error")
	}
}

func TestAppendAfterClose(t *testing.T) {
	l := openLog(t, filepath.Join(t.TempDir(), "a"), audit.Options{})
	l.Close()
	if err := l.Append(context.Background(), sample("/x")); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestOneLinePerRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	l := openLog(t, path, audit.Options{})
	r := sample("/a\nb\u2028c\x1b[2J\xff")
	if err := l.Append(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(data), "\n"); got != 1 {
		t.Errorf("%d newlines, want 1", got)
	}
	if !json.Valid(data) {
		t.Errorf("not JSON: %q", data)
	}
}

func TestReadNamesTheBadLine(t *testing.T) {
	err := audit.Read(strings.NewReader("{}\nnope\n"), func(*schemas.Record) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error that names line 2", err)
	}
}

func TestFollowSeesOldAndNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	got := make(chan string, 8)
	ended := make(chan error, 1)
	go func() {
		ended <- audit.Follow(ctx, path, audit.Filter{Sandbox: "a1b2c3"}, func(r *schemas.Record) error {
			got <- r.Input.Network.Path
			return nil
		})
	}()
	l := openLog(t, path, audit.Options{})
	other := sample("/other")
	other.Custom.Sandbox = "sb-zzzzzz"
	for _, r := range []*schemas.Record{sample("/1"), other, sample("/2")} {
		if err := l.Append(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"/1", "/2"} {
		select {
		case path := <-got:
			if path != want {
				t.Errorf("got %q, want %q", path, want)
			}
		case <-ctx.Done():
			t.Fatal("timed out")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
