package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("audit log is closed")

// errOverdue is what an Append gets that waited too long for another's write.
var errOverdue = errors.New("audit log does not answer")

// The bounds of what waits to be written: a record that nothing waits for is
// written at the latest after lazyFor, or when maxPending bytes wait. A record
// that somebody waits for is written at once.
const (
	lazyFor    = 5 * time.Millisecond
	maxPending = 256 << 10
	overdue    = 10 * time.Second
)

// Options tune a Log.
type Options struct {
	// Sync makes Append return only after fdatasync, one for all records that
	// wait at that moment.
	Sync bool
}

// Log is an append-only file of records. One writer at a time takes everything
// that waits and writes it in one call: the caller who finds nobody writing, or
// a goroutine where many come at once. Nothing is ever dropped.
type Log struct {
	file file
	sync bool

	mu      sync.Mutex
	batch   *batch // what waits
	writing bool   // somebody writes what waited before
	lazy    *time.Timer
	spare   []byte // for the lines of the batch after the next
	seq     uint64
	size    int64
	last    error // of the last batch
	failed  error // for good
	closed  bool
	idle    *sync.Cond // writing became false
}

// file is what a Log needs of *os.File.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(int64) error
	Close() error
}

// batch is what one write call will hold.
type batch struct {
	lines   []byte
	records int
	done    chan struct{} // closed when err is set
	err     error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// Open opens or creates the log at path with mode 0600, cuts off a last line
// that was only partly written, and continues the sequence of the last record.
func Open(path string, opts Options) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	seq, size, err := recoverTail(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("audit log %q: %w", path, err)
	}
	l := &Log{file: f, sync: opts.Sync, seq: seq, size: size, batch: newBatch()}
	l.idle = sync.NewCond(&l.mu)
	return l, nil
}

// Append masks the record, numbers it (Custom.Seq) and returns when its line is
// in the file, and on disk with Options.Sync. On an error the
// record is not in the log: a caller denies with audit_unavailable then.
func (l *Log) Append(ctx context.Context, r *schemas.Record) error {
	Mask(r)
	buf := lines.Get().(*line)
	defer lines.Put(buf)
	line, err := buf.encode(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	b, err := l.add(r, line)
	if err != nil {
		l.mu.Unlock()
		return err
	}
	if !l.writing {
		l.writeBatch()
		l.handOver()
		l.mu.Unlock()
		return b.err
	}
	l.mu.Unlock()
	return b.wait(ctx)
}

// Enqueue is Append for records that nothing waits for, such as outcomes. It
// waits only when too much is waiting already.
func (l *Log) Enqueue(ctx context.Context, r *schemas.Record) error {
	Mask(r)
	buf := lines.Get().(*line)
	defer lines.Put(buf)
	line, err := buf.encode(r)
	if err != nil {
		return err
	}
	l.mu.Lock()
	b, err := l.add(r, line)
	full := err == nil && len(b.lines) >= maxPending
	if err == nil && !l.writing {
		if full {
			l.writing = true
			go l.drain()
		} else if l.lazy == nil {
			l.lazy = time.AfterFunc(lazyFor, l.flushLazy)
		}
	}
	l.mu.Unlock()
	if full {
		return b.wait(ctx)
	}
	return err
}

// Depth is the number of records that wait to be written.
func (l *Log) Depth() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.batch.records
}

// Close writes what waits and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	for l.writing {
		l.idle.Wait()
	}
	l.writeBatch()
	return errors.Join(l.last, l.file.Close())
}

// add puts a line into the batch that waits. The caller holds the lock.
func (l *Log) add(r *schemas.Record, line []byte) (*batch, error) {
	if l.closed {
		return nil, ErrClosed
	}
	if l.failed != nil {
		return nil, l.failed
	}
	l.seq++
	r.Custom.Seq = l.seq
	l.batch.lines = appendNumbered(l.batch.lines, line, l.seq)
	l.batch.records++
	return l.batch, nil
}

func (b *batch) wait(ctx context.Context) error {
	timer := time.NewTimer(overdue)
	defer timer.Stop()
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errOverdue
	}
}
