package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/audit/receive"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

const (
	// maxRecords is what one answer holds unless less is asked for.
	maxRecords = 10000
	// A stream sends what has come together in streamEvery, at most streamBatch
	// records at a time, and a comment when nothing came for streamSilence, so that
	// a dead client is noticed.
	streamEvery   = 100 * time.Millisecond
	streamBatch   = 256
	streamSilence = 15 * time.Second
)

// recordQuery selects records.
type recordQuery struct {
	filter audit.Filter
	from   audit.Position
	limit  int
	// reported asks for the log of what shims reported.
	reported bool
}

// logOf is the folder of the log that is asked.
func (g *Gateway) logOf(q recordQuery) string {
	if q.reported {
		return filepath.Join(g.cfg.StateDir, receivedDir, receive.ReportedDir)
	}
	return g.cfg.AuditPath()
}

func parseRecordQuery(r *http.Request) (q recordQuery, err error) {
	v := r.URL.Query()
	q.filter.Sandbox, q.limit = v.Get("sandbox"), maxRecords
	q.filter.Denied, err = optionalBool(v.Get("denied"))
	if err == nil {
		q.reported, err = optionalBool(v.Get("reported"))
	}
	if since := v.Get("since"); err == nil && since != "" {
		q.filter.Since, err = time.Parse(time.RFC3339Nano, since)
	}
	if from := cmp.Or(r.Header.Get("Last-Event-ID"), v.Get("from")); err == nil && from != "" {
		q.from.Seq, err = strconv.ParseUint(from, 10, 64)
	}
	if r.Header.Get("Last-Event-ID") != "" {
		q.from.Seq++ // that one has been seen
	}
	if limit := v.Get("limit"); err == nil && limit != "" {
		if q.limit, err = strconv.Atoi(limit); err == nil && (q.limit < 0 || q.limit > maxRecords) {
			err = fmt.Errorf("limit is from 0 to %d", maxRecords)
		}
		q.limit = cmp.Or(q.limit, maxRecords)
	}
	q.from.Since = q.filter.Since
	return q, err
}

func optionalBool(s string) (bool, error) {
	if s == "" {
		return false, nil
	}
	return strconv.ParseBool(s)
}

// getRecords answers with records as lines of JSON, as they stand in the log.
func (g *Gateway) getRecords(w http.ResponseWriter, r *http.Request) {
	q, err := parseRecordQuery(r)
	if err != nil {
		adminFail(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	var out bytes.Buffer
	err = g.eachRecord(q, func(line []byte) {
		out.Write(line)
		out.WriteByte('\n')
	})
	if err != nil {
		adminError(w, err)
		return
	}
	w.Header().Set("Content-Type", adminapi.TypeLines)
	_, _ = w.Write(out.Bytes()) // the client is gone
}

func (g *Gateway) eachRecord(q recordQuery, fn func(line []byte)) error {
	found := 0
	if _, err := os.Stat(g.logOf(q)); errors.Is(err, fs.ErrNotExist) {
		return nil // no shim has reported anything yet
	}
	for e, err := range audit.Entries(g.logOf(q), q.from) {
		if err != nil {
			return err
		}
		if found == q.limit {
			return nil
		}
		if ok, err := q.selects(e); err != nil {
			return err
		} else if ok {
			fn(e.Line)
			found++
		}
	}
	return nil
}

func (q recordQuery) selects(e audit.Entry) (bool, error) {
	f, err := audit.ParseFields(e.Line)
	if err != nil {
		return false, fmt.Errorf("record %d: %w", e.Seq, err)
	}
	if want := q.filter.Sandbox; want != "" && strings.TrimPrefix(want, sandboxPrefix) != strings.TrimPrefix(string(f.Sandbox), sandboxPrefix) {
		return false, nil
	}
	if since := q.filter.Since; !since.IsZero() {
		at, err := time.Parse(time.RFC3339Nano, string(f.Timestamp))
		if err != nil || at.Before(since) {
			return false, err
		}
	}
	return !q.filter.Denied || f.Verdict() == "deny", nil
}

// streamRecords sends records as server-sent events until the client is gone or
// the gateway ends. An event holds an array of records and the number of the last
// as its id.
func (g *Gateway) streamRecords(w http.ResponseWriter, r *http.Request) {
	q, err := parseRecordQuery(r)
	if err != nil {
		adminFail(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})); err != nil {
		adminError(w, err)
		return
	}
	w.Header().Set("Content-Type", adminapi.TypeEvents)
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(g.base, cancel)()
	entries := make(chan audit.Entry, streamBatch)
	go func() {
		defer close(entries)
		err := audit.FollowFrom(ctx, g.logOf(q), q.from, func(e audit.Entry) error {
			e.Line = bytes.Clone(e.Line)
			select {
			case entries <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil && ctx.Err() == nil {
			g.log.Error("decision stream ended", "error", err)
		}
	}()
	s := &eventStream{w: w, flush: control.Flush, query: q}
	s.run(entries)
}

// eventStream batches records into events.
type eventStream struct {
	w     http.ResponseWriter
	flush func() error
	query recordQuery
	batch bytes.Buffer // records, with commas between
	count int
	last  uint64
}

func (s *eventStream) run(entries <-chan audit.Entry) {
	if _, err := fmt.Fprint(s.w, ": decisions\n\n"); err != nil || s.flush() != nil {
		return
	}
	tick := time.NewTicker(streamEvery)
	defer tick.Stop()
	spoke := time.Now()
	for {
		var err error
		select {
		case e, open := <-entries:
			if !open {
				_ = s.send()
				return
			}
			if err = s.add(e); err == nil && s.count == streamBatch {
				err, spoke = s.send(), time.Now()
			}
		case now := <-tick.C:
			if s.count > 0 {
				err, spoke = s.send(), now
			} else if now.Sub(spoke) > streamSilence {
				_, err = fmt.Fprint(s.w, ": nothing new\n\n")
				err, spoke = errors.Join(err, s.flush()), now
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *eventStream) add(e audit.Entry) error {
	ok, err := s.query.selects(e)
	if err != nil || !ok {
		return err
	}
	if s.count > 0 {
		s.batch.WriteByte(',')
	}
	s.batch.Write(e.Line)
	s.count++
	s.last = e.Seq
	return nil
}

func (s *eventStream) send() error {
	if s.count == 0 {
		return nil
	}
	_, err := fmt.Fprintf(s.w, "id: %d\nevent: decisions\ndata: [%s]\n\n", s.last, s.batch.Bytes())
	s.batch.Reset()
	s.count = 0
	return errors.Join(err, s.flush())
}
