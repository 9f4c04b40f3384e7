package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/openshell-policy/openshell/audit"
)

// ErrNotFollowed says that something is no log that grows.
var ErrNotFollowed = errors.New("only the log of a gateway or shim, a directory, can be followed")

// Follow is Events that goes on with what is appended, until the context ends
// (nil) or fn fails. What is there already is merged by time; what comes is in
// the order of its coming. A log need not be there yet, but its folder. Only logs
// can be followed, not files of another OPA.
func Follow(ctx context.Context, paths []string, f Filter, fn func(*Event) error) error {
	var there []string
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case p != "-" && errors.Is(err, fs.ErrNotExist): // it may come
		case p == "-" || err != nil || !info.IsDir():
			return fmt.Errorf("%s: %w", p, ErrNotFollowed)
		default:
			there = append(there, p)
		}
	}
	m := newMatcher(f)
	for e, err := range m.events(there) {
		if err == nil {
			err = fn(e)
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came, failed := make(chan *Event), make(chan error, len(paths))
	for _, p := range paths {
		go func() {
			from := audit.Position{Seq: m.last[p] + 1}
			failed <- audit.FollowFrom(ctx, p, from, func(entry audit.Entry) error { return send(ctx, came, p, entry) })
		}()
	}
	err := m.take(ctx, came, failed, len(paths), fn)
	cancel()
	return err
}

func send(ctx context.Context, to chan<- *Event, path string, entry audit.Entry) error {
	e := &Event{Log: path, Seq: entry.Seq, Line: bytes.Clone(entry.Line)}
	var err error
	if e.Fields, err = audit.ParseFields(e.Line); err != nil {
		return fmt.Errorf("%s: record %d: %w", path, entry.Seq, err)
	}
	select {
	case to <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take hands on what comes until every log has ended; the first failure counts.
func (m *matcher) take(ctx context.Context, came <-chan *Event, failed <-chan error, logs int, fn func(*Event) error) error {
	var first error
	for logs > 0 {
		select {
		case e := <-came:
			if first == nil && m.match(e) {
				first = fn(e)
			}
		case err := <-failed:
			logs--
			if first == nil && ctx.Err() == nil {
				first = err
			}
		}
		if first != nil {
			return first // what still waits ends with the context
		}
	}
	return nil
}
