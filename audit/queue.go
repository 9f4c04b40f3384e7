package audit

import (
	"context"
	"errors"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// ErrClosed is returned by Append after Close.
var ErrClosed = errors.New("audit log is closed")

// errOverdue is what an Append gets that waited too long.
var errOverdue = errors.New("audit log does not answer")

// item is a record that waits to be written: encoded already, at [from, to) of
// its batch, or not yet.
type item struct {
	r        *schemas.Record
	from, to int
	waited   bool // somebody waits until it is on disk
}

// batch is what waits to be written with one sync.
type batch struct {
	items []item
	bytes []byte // encoded items, without number and newline
	size  int    // in bytes, estimated where an item is not encoded
	waits int    // items that somebody waits for
	since time.Time
	ended bool
	done  chan struct{} // closed when err is set
	err   error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// spareBatch is a batch with the memory of one that was written. Who waited for
// that one still holds it.
func (l *Log) spareBatch() *batch {
	b := newBatch()
	b.items, b.bytes = l.spareItems[:0], l.spareBytes[:0]
	l.spareItems, l.spareBytes = nil, nil
	return b
}

func (l *Log) recycle(b *batch) {
	clear(b.items)
	if cap(b.bytes) <= maxQueued {
		l.spareItems, l.spareBytes = b.items, b.bytes
	}
	b.items, b.bytes = nil, nil
}

// finish tells who waits for the batch how it ended, once.
func (b *batch) finish(err error) {
	if !b.ended {
		b.ended, b.err = true, err
		close(b.done)
	}
}

// wakeBytes of waiting records are written at once; fewer that nobody waits for
// are written after lazyFor.
const (
	wakeBytes = 256 << 10
	lazyFor   = 10 * time.Millisecond
)

// put adds a record to the batch that waits. The caller holds the lock.
func (l *Log) put(r *schemas.Record, line []byte, waited bool) *batch {
	b := l.batch
	it := item{r: r, from: len(b.bytes), waited: waited}
	if line != nil {
		b.bytes = append(b.bytes, line...)
		b.size += len(line)
	} else {
		b.size += estimate(r)
	}
	it.to = len(b.bytes)
	b.items = append(b.items, it)
	l.depth++
	if waited {
		b.waits++
	}
	if len(b.items) == 1 {
		b.since = time.Now()
	}
	if len(b.items) == 1 || waited && b.waits == 1 || b.size >= wakeBytes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return b
}

// accepts waits, with the lock held, until the queue takes another record. The
// log takes none while what it has acknowledged cannot be written or signed.
func (l *Log) accepts(ctx context.Context) error {
	for {
		switch {
		case l.closed:
			return ErrClosed
		case l.stalled:
			return errOverdue
		case l.failing != nil:
			return l.failing
		case l.unsigned != nil:
			return l.unsigned
		case l.depth < l.opts.QueueRecords && l.batch.size < maxQueued:
			return nil
		}
		freed := l.freed
		l.mu.Unlock()
		err := wait(ctx, freed, l.opts.Overdue)
		l.mu.Lock()
		if err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, done <-chan struct{}, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errOverdue
	}
}

// free tells who waits for room. The caller holds the lock.
func (l *Log) free(n int) {
	l.depth -= n
	close(l.freed)
	l.freed = make(chan struct{})
}

// maxQueued bounds the bytes that wait, by estimate; a record that alone may take
// more than maxEstimate is encoded by its caller, who knows then how long it is.
const (
	maxQueued   = 16 << 20
	maxEstimate = 64 << 10
)

// estimate is about how long a record is, at least as far as a sandbox chooses.
func estimate(r *schemas.Record) int {
	n := 1024
	if r.Input == nil {
		return n
	}
	if net := r.Input.Network; net != nil {
		n += 8*len(net.Path) + len(net.Host)*3 + len(net.Method)
		for key, values := range net.Query {
			n += len(key) + 16
			for _, v := range values {
				n += len(v) + 4
			}
		}
		for _, a := range net.Ancestors {
			n += len(a)
		}
	}
	if f := r.Input.File; f != nil {
		n += 2 * (len(f.Path) + len(f.Lexical))
	}
	if e := r.Input.Exec; e != nil {
		for i := range e.Commands {
			n += 512
			for _, a := range e.Commands[i].Args {
				n += 4*len(a) + 16
			}
		}
	}
	return n
}
