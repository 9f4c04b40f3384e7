package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/audit"
)

// Record is one record of a log, as it stands there.
type Record struct {
	Seq  uint64
	Line []byte // without the newline
}

// Sender delivers records to a receiver.
type Sender interface {
	// Send delivers records in order and returns how many of them, from the first
	// on, need not be sent again. An error is tried again unless it is a
	// *RejectedError, which is about the record after those.
	Send(ctx context.Context, records []Record) (done int, err error)
}

// RejectedError says that a receiver does not take a record and gives no hope that
// it will. The record is given up only when the receiver takes a later one: one
// that takes nothing at all is broken, and may be mended.
type RejectedError struct{ Err error }

// Error returns what the receiver said.
func (e *RejectedError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *RejectedError) Unwrap() error { return e.Err }

// PartialError says that a receiver took a batch, less some records that it will
// never take.
type PartialError struct {
	Rejected uint64
	Why      string // in the receiver's words
}

// Error says how many were rejected, and why.
func (e *PartialError) Error() string {
	return fmt.Sprintf("%d records are not taken: %.200q", e.Rejected, e.Why)
}

// LaterError is a failure after which the receiver wants to be left alone.
type LaterError struct {
	Err   error
	After time.Duration
}

// Error returns what the receiver said.
func (e *LaterError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *LaterError) Unwrap() error { return e.Err }

// The bounds of one batch and of the pause between attempts.
const (
	batchRecords = 2000
	batchBytes   = 4 << 20
	firstPause   = 100 * time.Millisecond
	longestPause = 30 * time.Second
	longestAsked = 5 * time.Minute
)

// Options tune a Runner.
type Options struct {
	Name  string // of the sink, unique
	Log   string // the log's directory
	State string // the file that keeps the position
	// Delay is how long a record may wait for others; 0 is a second.
	Delay time.Duration
	// Report is told of every failure; nil drops them.
	Report func(error)
}

// Status says how far a sink is.
type Status struct {
	Name      string    `json:"name"`
	Next      uint64    `json:"next"`     // number of the next record to send
	Sent      uint64    `json:"sent"`     // since the start
	Rejected  uint64    `json:"rejected"` // that the receiver will not take
	Missed    uint64    `json:"missed"`   // deleted from the log before they were sent
	Failures  uint64    `json:"failures"`
	LastError string    `json:"last_error,omitempty"`
	LastSent  time.Time `json:"last_sent"`
}

// Runner sends a log to one receiver.
type Runner struct {
	opts   Options
	sender Sender
	at     *position

	mu     sync.Mutex
	status Status
}

// NewRunner reads the position that was reached before.
func NewRunner(s Sender, opts Options) (*Runner, error) {
	at, err := openPosition(opts.State, opts.Log)
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", opts.Name, err)
	}
	if opts.Delay == 0 {
		opts.Delay = time.Second
	}
	if opts.Report == nil {
		opts.Report = func(error) {}
	}
	return &Runner{opts: opts, sender: s, at: at, status: Status{Name: opts.Name, Next: at.Next}}, nil
}

// Status says how far the sink is.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Runner) note(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// Run sends what is in the log and what comes, until the context ends (nil) or
// the log cannot be read any more.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan Record, 64)
	failed := make(chan error, 1)
	go func() {
		failed <- audit.FollowFrom(ctx, r.opts.Log, audit.Position{Seq: r.at.Next}, func(e audit.Entry) error {
			select {
			case queue <- Record{e.Seq, bytes.Clone(e.Line)}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	var batch []Record
	for pause := firstPause; ; {
		var err error
		if batch, err = r.collect(ctx, batch, queue, failed); ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("sink %s: %w", r.opts.Name, err)
		}
		before := len(batch)
		if batch, err = r.deliver(ctx, batch); len(batch) < before {
			pause = firstPause
		}
		if err != nil && !r.wait(ctx, err, pause) {
			return nil
		}
		if err != nil {
			pause = min(2*pause, longestPause)
		}
	}
}

// collect adds to what could not be delivered what came meanwhile. Where there is
// nothing it waits, and then for what comes soon after the first.
func (r *Runner) collect(ctx context.Context, batch []Record, queue <-chan Record, failed <-chan error) ([]Record, error) {
	size := 0
	for _, rec := range batch {
		size += len(rec.Line)
	}
	full := make(<-chan time.Time)
	if len(batch) > 0 {
		full = time.After(0)
	}
	for len(batch) < batchRecords && size < batchBytes {
		select {
		case rec := <-queue:
			if len(batch) == 0 {
				full = time.After(r.opts.Delay)
			}
			batch = append(batch, rec)
			size += len(rec.Line)
		case <-full:
			return batch, nil
		case err := <-failed:
			return batch, err
		case <-ctx.Done():
			return batch, nil
		}
	}
	return batch, nil
}

// deliver sends a batch and returns what was not taken, with the reason.
func (r *Runner) deliver(ctx context.Context, batch []Record) ([]Record, error) {
	r.missing(batch[0].Seq)
	var suspects []error // why the first records of batch were refused
	for rest := batch; len(rest) > 0; {
		done, err := r.sender.Send(ctx, rest)
		if done > 0 {
			if again := r.again(ctx, batch[:len(suspects)]); again != nil {
				return batch, again
			}
			r.advance(rest[:done], err)
			rest, suspects = rest[done:], nil
			batch = rest
		}
		var rejected *RejectedError
		var part *PartialError
		switch {
		case err == nil, errors.As(err, &part):
		case errors.As(err, &rejected) && len(rest) > 0:
			suspects = append(suspects, err)
			rest = rest[1:]
		default:
			return batch, err
		}
	}
	if len(suspects) > 0 {
		return batch, suspects[0]
	}
	return nil, nil
}

// missing reports the records that were deleted from the log too soon.
func (r *Runner) missing(first uint64) {
	if first <= r.at.Next {
		return
	}
	n := first - r.at.Next
	r.note(func(s *Status) { s.Missed += n })
	r.opts.Report(fmt.Errorf("sink %s: %d records from %d on were deleted from the log before they were sent", r.opts.Name, n, r.at.Next))
	r.at.Next = first
}

// again tries records that were refused before the receiver took a later one. It
// may have been mended meanwhile; what it refuses again is given up.
func (r *Runner) again(ctx context.Context, suspects []Record) error {
	for _, rec := range suspects {
		_, err := r.sender.Send(ctx, []Record{rec})
		var rejected *RejectedError
		switch {
		case err == nil:
			r.note(func(s *Status) { s.Sent++ })
		case errors.As(err, &rejected):
			err = fmt.Errorf("sink %s: record %d is not taken: %w", r.opts.Name, rec.Seq, err)
			r.note(func(s *Status) { s.Rejected++; s.LastError = err.Error() })
			r.opts.Report(err)
		default:
			return err
		}
	}
	return nil
}

// advance keeps that records were taken, in part if err is a *PartialError.
func (r *Runner) advance(done []Record, err error) {
	r.at.Next = done[len(done)-1].Seq + 1
	if err := r.at.save(); err != nil { // what was sent is sent again after a restart
		r.opts.Report(fmt.Errorf("sink %s: position not kept: %w", r.opts.Name, err))
	}
	rejected := uint64(0)
	var part *PartialError
	if errors.As(err, &part) {
		rejected = min(part.Rejected, uint64(len(done)))
		r.opts.Report(fmt.Errorf("sink %s: up to record %d: %w", r.opts.Name, r.at.Next-1, err))
	}
	r.note(func(s *Status) {
		s.Next, s.LastSent = r.at.Next, time.Now()
		s.Sent += uint64(len(done)) - rejected
		if s.Rejected += rejected; rejected > 0 {
			s.LastError = err.Error()
		}
	})
}

// wait pauses after a failure; false says that the context ended.
func (r *Runner) wait(ctx context.Context, err error, pause time.Duration) bool {
	r.note(func(s *Status) { s.Failures++; s.LastError = err.Error() })
	r.opts.Report(fmt.Errorf("sink %s: %w", r.opts.Name, err))
	var later *LaterError
	if errors.As(err, &later) {
		pause = max(pause, min(later.After, longestAsked))
	}
	timer := time.NewTimer(pause + rand.N(pause/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
