package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/openshell-policy/openshell/schemas"
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("audit log is closed")

// queueLength bounds the records that wait for the writer; Append blocks when
// it is full, nothing is dropped.
const queueLength = 1024

// Options tune a Log.
type Options struct {
	// Sync makes Append return only after fdatasync, one for all records that
	// wait at that moment.
	Sync bool
}

// Log is an append-only file of records with one writer.
type Log struct {
	file  file
	sync  bool
	queue chan entry
	done  chan struct{} // closed when the writer has ended

	mu     sync.RWMutex // guards closed against sends on queue
	closed bool

	failed   error // owned by the writer
	seq      uint64
	lastSize int64
}

// file is what the writer needs of *os.File.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(int64) error
	Close() error
}

type entry struct {
	line []byte // encoded with seq 0, no newline
	done chan result
}

type result struct {
	seq uint64
	err error
}

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
	return start(f, opts, seq, size), nil
}

func start(f file, opts Options, seq uint64, size int64) *Log {
	l := &Log{
		file: f, sync: opts.Sync, seq: seq, lastSize: size,
		queue: make(chan entry, queueLength), done: make(chan struct{}),
	}
	go l.write()
	return l
}

// Append masks the record, numbers it (Custom.Seq) and returns when its line is
// in the file, and on disk with Options.Sync. After a write error every Append
// fails: a caller denies with audit_unavailable then.
func (l *Log) Append(ctx context.Context, r *schemas.Record) error {
	e := entry{done: make(chan result, 1)}
	if err := l.enqueue(ctx, r, &e); err != nil {
		return err
	}
	select {
	case res := <-e.done:
		r.Custom.Seq = res.seq
		return res.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enqueue is Append for records that nothing waits for, such as outcomes: it
// returns once the record is queued, and blocks while the queue is full.
func (l *Log) Enqueue(ctx context.Context, r *schemas.Record) error {
	return l.enqueue(ctx, r, &entry{})
}

// Depth is the number of records that wait for the writer.
func (l *Log) Depth() int { return len(l.queue) }

func (l *Log) enqueue(ctx context.Context, r *schemas.Record, e *entry) error {
	Mask(r)
	line, err := encode(r)
	if err != nil {
		return err
	}
	e.line = line
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- *e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what is queued and closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	close(l.queue)
	l.mu.Unlock()
	<-l.done
	return errors.Join(l.failed, l.file.Close())
}
