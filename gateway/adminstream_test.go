package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// onDisk lets a world write its records to the file that its configuration
// names, where the admin API reads them.
func onDisk(_ *gateway.Config, d *gateway.Deps) { d.Audit = nil }

// bind makes n records, of binding the world's sandbox.
func (w *world) bind(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		policy := []string{"p", "other"}[i%2]
		if _, err := w.admin().SetPolicy(t.Context(), w.box.ID, adminapi.SetPolicy{Policy: policy}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordsAreRead(t *testing.T) {
	w := newWorld(t, onDisk)
	w.bind(t, 5)
	tests := []struct {
		query string
		want  int
	}{
		{"", 5},
		{"?sandbox=" + w.box.ID, 5},
		{"?sandbox=" + strings.TrimPrefix(w.box.ID, "sb-"), 5},
		{"?sandbox=sb-zzzzzz", 0},
		{"?from=4", 2},
		{"?limit=3", 3},
		{"?denied=true", 0},
		{"?since=" + time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 0},
		{"?since=" + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), 5},
	}
	for _, tt := range tests {
		status, body := adminDo(t, w, http.MethodGet, "/v1/decisions"+tt.query, w.g.AdminToken())
		if got := strings.Count(body, "\n"); status != http.StatusOK || got != tt.want {
			t.Errorf("%s: %d records, status %d, want %d", tt.query, got, status, tt.want)
		}
	}
	for _, query := range []string{"?from=x", "?from=-1", "?limit=100000", "?denied=perhaps", "?since=yesterday"} {
		if status, _ := adminDo(t, w, http.MethodGet, "/v1/decisions"+query, w.g.AdminToken()); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", query, status)
		}
	}
}

// events reads a stream until it has seen n records, and returns them with the id
// of the last event.
func (w *world) events(t *testing.T, query, lastEvent string, n int) (got []schemas.Record, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.g.AdminAddr()+"/v1/decisions/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.g.AdminToken())
	if lastEvent != "" {
		req.Header.Set("Last-Event-ID", lastEvent)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for len(got) < n && lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			id = v
		}
		if v, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var batch []schemas.Record
			if err := json.Unmarshal([]byte(v), &batch); err != nil {
				t.Fatalf("%v in %s", err, v)
			}
			got = append(got, batch...)
		}
	}
	if len(got) < n {
		t.Fatalf("the stream ended after %d records: %v", len(got), lines.Err())
	}
	return got, id
}

// A stream sends what there is and what comes, and goes on where it broke off.
func TestStreamGoesOnAfterABreak(t *testing.T) {
	w := newWorld(t, onDisk)
	w.bind(t, 3)
	got, id := w.events(t, "", "", 3)
	if id != "3" || got[0].Custom.Seq != 1 {
		t.Errorf("last event %s, first record %d", id, got[0].Custom.Seq)
	}
	w.bind(t, 2)
	more := make(chan string, 1)
	go func() {
		next, _ := w.events(t, "", id, 4)
		var seqs []string
		for _, r := range next {
			seqs = append(seqs, fmt.Sprint(r.Custom.Seq))
		}
		more <- strings.Join(seqs, " ")
	}()
	time.Sleep(50 * time.Millisecond) // so that some come while it waits; either way all must come
	w.bind(t, 2)
	if seqs := <-more; seqs != "4 5 6 7" {
		t.Errorf("after record 3 came %s, want 4 5 6 7", seqs)
	}
}
