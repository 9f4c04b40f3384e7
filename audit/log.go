package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// Log is the writer of a log. Records that come together are written and synced
// together, back to back while there are any: a single goroutine, the committer,
// takes everything that waits, numbers, writes, syncs and hashes it. Nothing is
// ever dropped.
type Log struct {
	dir  string
	opts Options
	id   *identity
	lock *lock

	mu         sync.Mutex
	batch      *batch // what waits
	retry      *batch // what could not be written, and has been acknowledged
	flying     *batch // what is being written
	depth      int    // records in all three
	freed      chan struct{}
	closed     bool
	stalled    bool  // a write is overdue
	failing    error // of what is tried again
	unsigned   error // no checkpoint could be written for long
	spareItems []item
	spareBytes []byte

	wake   chan struct{} // there is something to write
	stop   chan struct{} // Close was called
	ended  chan struct{} // the committer has ended
	ctx    context.Context
	cancel context.CancelFunc // of what runs beside the committer

	written, synced atomic.Uint64

	com   committer
	seals sealer
	copy  copier
	clock clock
}

// Open opens or creates the log in a directory. It checks that the log extends
// its last checkpoint, and the copy of it if one is kept, and refuses a log that
// does not: somebody has changed it. Of a log that its writer has not closed, a
// torn last record is cut off, and a record says so.
func Open(dir string, opts Options) (*Log, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	l := &Log{
		dir: dir, opts: opts, batch: newBatch(), freed: make(chan struct{}), clock: newClock(opts.skew),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("audit log %s: %w", dir, err)
	}
	l.copy.start(l)
	l.copy.put(l.com.newest)
	l.seals.start(l)
	go l.commits()
	return l, nil
}

// scratch is what encoding needs, used again.
type scratch struct{ line }

var lines = sync.Pool{New: func() any { return &scratch{line{b: make([]byte, 0, 4096)}} }}

// Append masks, numbers (Custom.Seq) and writes the record. In mode Strict it
// returns when the record is on disk, in mode Bounded when it is queued. A caller
// that gets an error must act as if the record was not written, and deny with
// audit_unavailable.
//
// The record, and what it points to, must not be changed after the call.
func (l *Log) Append(ctx context.Context, r *schemas.Record) error {
	if l.opts.Mode == Bounded {
		return l.Enqueue(ctx, r)
	}
	buf := lines.Get().(*scratch)
	defer lines.Put(buf)
	line, err := l.encode(ctx, buf, r)
	if err != nil {
		return err
	}
	return l.appendLine(ctx, r, line)
}

// appendLine queues a record that is encoded and waits until it is on disk.
func (l *Log) appendLine(ctx context.Context, r *schemas.Record, line []byte) error {
	l.mu.Lock()
	if err := l.accepts(ctx); err != nil {
		l.mu.Unlock()
		return err
	}
	b := l.put(r, line, true)
	l.mu.Unlock()
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enqueue is Append as in mode Bounded, for records that nothing waits for, such
// as outcomes.
func (l *Log) Enqueue(ctx context.Context, r *schemas.Record) error {
	if estimate(r) > maxEstimate {
		return l.enqueueLong(ctx, r)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.accepts(ctx); err != nil {
		return err
	}
	l.put(r, nil, false)
	return nil
}

func (l *Log) enqueueLong(ctx context.Context, r *schemas.Record) error {
	line, err := l.encode(ctx, new(scratch), r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.accepts(ctx); err != nil {
		return err
	}
	l.put(r, line, false)
	return nil
}

// encode masks the record and renders it.
func (l *Log) encode(ctx context.Context, buf *scratch, r *schemas.Record) ([]byte, error) {
	if err := MaskRecord(ctx, r, l.opts.Rules); err != nil {
		l.opts.Report(fmt.Errorf("audit record %s: %w", r.DecisionID, err))
	}
	line, err := buf.encode(r)
	if err == nil && len(line) > maxRecord {
		err = fmt.Errorf("audit record is longer than %d bytes", maxRecord)
	}
	return line, err
}

// Stats counts what a log has done since it was opened.
type Stats struct {
	Records uint64 // written
	Syncs   uint64 // of batches of records
}

// Stats returns the counts.
func (l *Log) Stats() Stats { return Stats{l.written.Load(), l.synced.Load()} }

// Depth is the number of records that are not on disk yet.
func (l *Log) Depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.depth
}

// Dir is the log's directory.
func (l *Log) Dir() string { return l.dir }

// PublicKey is the log's public key, which checks its checkpoints.
func (l *Log) PublicKey() string { return l.id.text }

// Close writes and signs what waits and lets go of the log. An error says that
// records were lost or left unsigned.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.ended
		return nil
	}
	l.closed = true
	close(l.stop)
	l.mu.Unlock()
	<-l.ended
	err := l.com.end()
	l.cancel()
	l.seals.wait()
	clean := err == nil
	return errors.Join(err, l.copy.wait(), l.lock.release(clean))
}

// clock is wall time that goes on evenly while the process runs, whatever is done
// to the machine's clock.
type clock struct{ start, wall time.Time }

func newClock(skew time.Duration) clock {
	start := time.Now()
	return clock{start, start.Round(0).Add(skew)}
}

func (c clock) now() time.Time { return c.wall.Add(time.Since(c.start)) }
