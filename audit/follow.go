package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/openshell-policy/openshell/schemas"
)

// pollEvery is how often Follow looks at the file when no event says so, for
// file systems that send none.
const pollEvery = time.Second

// Follow calls fn for every record the filter selects, first those in the log
// and then each that is appended, until the context ends (nil), fn fails or the
// log cannot be read. It waits for a log that does not exist yet.
func Follow(ctx context.Context, path string, f Filter, fn func(*schemas.Record) error) error {
	return FollowFrom(ctx, path, Position{Since: f.Since}, func(e Entry) error {
		rec, err := decode(e.Line)
		if err != nil {
			return fmt.Errorf("follow audit log: record %d: %w", e.Seq, err)
		}
		if !f.Match(rec) {
			return nil
		}
		return fn(rec)
	})
}

// FollowFrom calls fn for every entry from a position on, as Follow does. A
// record that its writer could not get onto the disk, and has told its caller so,
// may be among them and then come again with another content.
func FollowFrom(ctx context.Context, path string, from Position, fn func(Entry) error) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	t := &tail{path: path, from: from, fn: fn}
	defer t.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for watching := false; ; {
		if !watching { // the segments of a directory log are in a folder of their own
			watching = w.Add(filepath.Join(path, segmentsDir)) == nil
		}
		if err := t.advance(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
		case _, open := <-w.Errors: // an overflow: look at the log
			if !open {
				return nil
			}
		case <-tick.C:
		}
	}
}

// tail is a reader's place in a growing log, which is a plain file or a
// directory.
type tail struct {
	path string
	from Position
	fn   func(Entry) error
	next uint64 // number of the next entry to hand on
	open *openFile
}

func (t *tail) advance() error {
	info, err := os.Stat(t.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && info.IsDir() {
		err = t.segments()
	} else if err == nil {
		err = t.plain()
	}
	if err != nil && !errors.As(err, new(*callerError)) {
		return fmt.Errorf("follow audit log: %w", err)
	}
	var ce *callerError
	if errors.As(err, &ce) {
		return ce.err
	}
	return err
}

// callerError is what fn returned.
type callerError struct{ err error }

func (e *callerError) Error() string { return e.err.Error() }

// emit hands on what was not handed on before.
func (t *tail) emit(e Entry) error {
	if e.Seq < t.next || e.Seq < t.from.Seq {
		return nil
	}
	t.next = e.Seq + 1
	if err := t.fn(e); err != nil {
		return &callerError{err}
	}
	return nil
}

func (t *tail) plain() (err error) {
	if t.open == nil {
		if t.open, err = openAt(t.path, 1); err != nil {
			return err
		}
	}
	return t.open.read(0, func(e Entry) error {
		if seq, ok := lineSeq(e.Line); ok {
			e.Seq = seq
		}
		return t.emit(e)
	})
}

// segments reads the closed segments that were not read yet, and the live one as
// far as it is written.
func (t *tail) segments() error {
	for {
		segs, err := Segments(t.path)
		if err != nil {
			return err
		}
		again := false
		for _, s := range segs {
			if !s.Live() && s.Next <= max(t.next, t.from.Seq) {
				continue
			}
			err := t.segment(s)
			if again = errors.Is(err, os.ErrNotExist) && s.Live(); again {
				break // it was closed meanwhile
			}
			if err != nil {
				return err
			}
		}
		if !again {
			return nil
		}
	}
}

func (t *tail) segment(s Segment) (err error) {
	if t.open == nil || t.open.first != s.First {
		if !s.Live() {
			return t.closed(s)
		}
		t.close()
		if t.open, err = openAt(s.Path, s.First); err != nil {
			return err
		}
	}
	if t.open.shrunk() {
		t.close()
		return t.replaced(s)
	}
	if err := t.open.read(s.Next, t.emit); err != nil || s.Live() {
		return err
	}
	complete := t.open.next == s.Next
	t.close()
	if complete {
		return nil
	}
	return t.closed(s)
}

func (t *tail) closed(s Segment) error {
	for e, err := range s.Entries(Position{Seq: max(t.next, t.from.Seq), Since: t.from.Since}) {
		if err != nil {
			return err
		}
		if err := t.emit(e); err != nil {
			return err
		}
	}
	t.next = max(t.next, s.Next)
	return nil
}

// replaced reads a segment again whose end the writer cut off: what comes in its
// place has the same numbers.
func (t *tail) replaced(s Segment) (err error) {
	if t.open, err = openAt(s.Path, s.First); err != nil {
		return err
	}
	var last uint64
	if err := t.open.read(s.Next, func(e Entry) error { last = e.Seq; return nil }); err != nil {
		return err
	}
	t.next = min(t.next, max(last+1, s.First))
	return nil
}

func (t *tail) close() {
	if t.open != nil {
		t.open.file.Close()
		t.open = nil
	}
}
