package audit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// TestAddedToAClosedLog: closing a log signs every record, so whatever stands
// behind was added by somebody else.
func TestAddedToAClosedLog(t *testing.T) {
	whole := makeLog(t, audit.Options{})
	for name, added := range map[string]string{
		"a record": `{"labels":null,"decision_id":"x","path":"","timestamp":"2026-03-24T10:31:02Z","custom":{"type":"pruned","sandbox":"","policy":"","pruned":{"through":1000,"reason":"age"},"seq":1101}}` + "\n",
		"a half":   `{"labels":`,
	} {
		t.Run(name, func(t *testing.T) {
			m := whole.copyDir(t)
			f, err := os.OpenFile(m.segment(t, m.records).Path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(added); err != nil {
				t.Fatal(err)
			}
			f.Close()
			if l, err := audit.Open(m.dir, audit.Options{}); err == nil {
				l.Close()
				t.Error("the log was opened")
			} else if !strings.Contains(err.Error(), "somebody has added") {
				t.Errorf("got %v", err)
			}
			if name != "a record" {
				return
			}
			if r := m.verify(t); len(r.Findings) != 1 || r.Findings[0].What != audit.Inserted || r.Findings[0].Seq != 1101 {
				t.Errorf("%+v", r)
			}
			// Nor does a record that nobody signed excuse a deletion.
			m.write(t, "lock", []byte("1\n"))
			if err := os.Remove(m.segment(t, 1).Path); err != nil {
				t.Fatal(err)
			}
			if r := m.verify(t); len(r.Findings) == 0 || r.Findings[0].What != audit.Removed || r.Findings[0].Seq != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// receiver takes checkpoints and can be told to refuse them.
type receiver struct {
	mu     sync.Mutex
	status int
	got    []string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.got = append(r.got, string(body)); req.Method != http.MethodPost {
		r.status = http.StatusMethodNotAllowed
	}
	w.WriteHeader(r.status)
}

func TestCheckpointsAreSentElsewhere(t *testing.T) {
	r := &receiver{status: http.StatusInternalServerError}
	server := httptest.NewServer(r)
	defer server.Close()
	var reported []string
	var mu sync.Mutex
	dir := filepath.Join(t.TempDir(), "log")
	l := openLog(t, dir, audit.Options{CheckpointURL: server.URL, Report: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		reported = append(reported, err.Error())
	}})
	if err := l.Append(context.Background(), sample("/x")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		n := len(reported)
		mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a refused checkpoint was not reported")
		}
	}
	r.mu.Lock()
	r.status = http.StatusNoContent
	r.mu.Unlock()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	own, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.got[len(r.got)-1]; last != string(own) || !strings.Contains(last, "\n1\n") {
		t.Errorf("got %q, want %q", last, own)
	}
	if !strings.Contains(reported[0], "500") {
		t.Errorf("reported %q", reported)
	}
}

// A copy is made as soon as a log is opened: the file may be new.
func TestCheckpointIsCopiedAtOnce(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "copy")
	for _, fresh := range []bool{true, false} {
		l := openLog(t, dir, audit.Options{CheckpointFile: file})
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(own) {
			t.Errorf("fresh %v: got %q, %v, want %q", fresh, got, err, own)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFollowAcrossSegments follows a log whose segments are closed and compressed
// meanwhile.
func TestFollowAcrossSegments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	const records = 3000
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	l := openLog(t, dir, audit.Options{SegmentBytes: 60 << 10, QueueRecords: 64})
	for i := range 500 {
		if err := l.Enqueue(ctx, sample(fmt.Sprint("/", i))); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	ended := make(chan error, 1)
	go func() {
		ended <- audit.Follow(ctx, dir, audit.Filter{}, func(r *schemas.Record) error {
			if want := fmt.Sprint("/", seen); r.Input.Network.Path != want || r.Custom.Seq != uint64(seen+1) {
				return fmt.Errorf("got record %d %s, want %s", r.Custom.Seq, r.Input.Network.Path, want)
			}
			if seen++; seen == records {
				cancel()
			}
			return nil
		})
	}()
	for i := 500; i < records; i++ {
		if err := l.Enqueue(context.Background(), sample(fmt.Sprint("/", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ended; err != nil || seen != records {
		t.Errorf("saw %d of %d: %v", seen, records, err)
	}
	segs, err := audit.Segments(dir)
	if err != nil || len(segs) < 10 {
		t.Errorf("%d segments, %v", len(segs), err)
	}
}

// TestVerifyWhileWriting verifies a log again and again while it is written,
// closed in segments, compressed and pruned.
func TestVerifyWhileWriting(t *testing.T) {
	m := &madeLog{dir: filepath.Join(t.TempDir(), "log")}
	l := openLog(t, m.dir, audit.Options{SegmentBytes: 60 << 10, QueueRecords: 64})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := l.Append(context.Background(), sample("/x")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	checked := 0
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); checked++ {
		if r := m.verify(t); len(r.Findings) > 0 {
			t.Errorf("%+v", r)
			break
		}
	}
	close(stop)
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if r := m.verify(t); len(r.Findings) > 0 || r.Unsigned > 0 || checked < 3 || r.Segments < 3 {
		t.Errorf("%d times; %+v", checked, r)
	}
}

func TestEntriesFrom(t *testing.T) {
	m := makeLog(t, audit.Options{})
	for _, seq := range []uint64{0, 1, 2, 256, 257, 500, 1099, 1100, 1101} {
		first, n := uint64(0), 0
		for e, err := range audit.Entries(m.dir, audit.Position{Seq: seq}) {
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				first = e.Seq
			}
			n++
		}
		want := max(seq, 1)
		if n != 1100-int(want)+1 || n > 0 && first != want {
			t.Errorf("from %d: %d records from %d", seq, n, first)
		}
	}
	for _, err := range audit.Entries(m.dir, audit.Position{Since: time.Now().Add(time.Hour)}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for r, err := range audit.Records(m.dir, audit.Position{}) {
		if err != nil || r.Custom.Seq != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		break // must not run on
	}
	rollups, next, err := audit.Rollups(m.dir)
	if err != nil || len(rollups) == 0 {
		t.Fatal(err)
	}
	counted := uint64(0)
	for _, r := range rollups {
		for _, row := range r.Rows {
			if row.Host != "api.github.com" || row.Verdict != "allow" || row.Method != "GET" || row.Sandbox != "sb-a1b2c3" {
				t.Errorf("%+v", row)
			}
			counted += row.Count
		}
	}
	if counted != next-1 || next != m.segment(t, 1100).First {
		t.Errorf("%d counted, the live segment begins at %d", counted, next)
	}
}

// TestRetentionBySize keeps a log below a size while it grows.
func TestRetentionBySize(t *testing.T) {
	m := &madeLog{dir: filepath.Join(t.TempDir(), "log")}
	l := openLog(t, m.dir, audit.Options{SegmentBytes: 60 << 10, MaxBytes: 150 << 10, QueueRecords: 64})
	for i := 0; ; i++ {
		if err := l.Enqueue(context.Background(), sample("/x")); err != nil {
			t.Fatal(err)
		}
		if i%200 > 0 {
			continue
		}
		if segs, err := audit.Segments(m.dir); err != nil || i > 20_000 {
			t.Fatal("nothing was deleted", err)
		} else if len(segs) > 0 && segs[0].First > 300 {
			break
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := m.verify(t)
	if len(r.Findings) > 0 || r.Expired != r.First-1 || r.Expired < 300 {
		t.Errorf("%+v", r)
	}
	l = openLog(t, m.dir, audit.Options{})
	if err := l.Append(context.Background(), sample("/x")); err != nil {
		t.Error(err)
	}
	l.Close()
	if r := m.verify(t); len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
}
