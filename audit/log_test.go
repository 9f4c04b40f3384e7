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
	var got []*schemas.Record
	for r, err := range audit.Records(path, audit.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Custom.Seq != uint64(len(got)+1) {
			t.Fatalf("record %d has seq %d", len(got)+1, r.Custom.Seq)
		}
		got = append(got, r)
	}
	return got
}

func TestAppendNumbersFromManyWriters(t *testing.T) {
	for _, mode := range []audit.Mode{audit.Strict, audit.Bounded} {
		t.Run(string(mode), func(t *testing.T) {
			dir := t.TempDir()
			l := openLog(t, dir, audit.Options{Mode: mode})
			var wg sync.WaitGroup
			records := make([]*schemas.Record, 200)
			for i := range records {
				wg.Go(func() {
					records[i] = sample("/x")
					if err := l.Append(context.Background(), records[i]); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, dir); len(got) != len(records) {
				t.Fatalf("got %d records, want %d", len(got), len(records))
			}
			unique := map[uint64]bool{}
			for _, r := range records {
				unique[r.Custom.Seq] = true
			}
			if len(unique) != len(records) || unique[0] {
				t.Errorf("callers saw %d different numbers, want %d", len(unique), len(records))
			}
		})
	}
}

func TestOnlyTheOwnerReadsALog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := openLog(t, dir, audit.Options{})
	if err := l.Append(context.Background(), sample("/x")); err != nil {
		t.Fatal(err)
	}
	l.Close()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if seen++; info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	if err != nil || seen < 6 {
		t.Errorf("saw %d files, %v", seen, err)
	}
}

func TestAFileIsNoLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.ndjson")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(path, audit.Options{}); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("got %v, want an error that says it is a file", err)
	}
}

func TestAppendAfterClose(t *testing.T) {
	for _, mode := range []audit.Mode{audit.Strict, audit.Bounded} {
		l := openLog(t, t.TempDir(), audit.Options{Mode: mode})
		l.Close()
		if err := l.Append(context.Background(), sample("/x")); !errors.Is(err, audit.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", mode, err)
		}
	}
}

func TestOneLinePerRecord(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir, audit.Options{})
	r := sample("/a\nb\u2028c\x1b[2J\xff")
	if err := l.Append(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range audit.Entries(dir, audit.Position{}) {
		if n++; err != nil || !json.Valid(e.Line) {
			t.Errorf("not JSON: %q, %v", e.Line, err)
		}
	}
	if n != 1 {
		t.Errorf("%d lines, want 1", n)
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
