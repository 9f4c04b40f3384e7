package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
	"github.com/openshell-policy/openshell/schemas"
)

// The bounds of what waits to be sent: a shim that is killed loses no more. Who
// adds to a full queue waits, at most Overdue; after that nothing is taken until
// there is room.
const (
	MaxQueued      = 8192
	MaxQueuedBytes = 8 << 20
	Overdue        = 10 * time.Second
)

// The bounds of one request; the gateway's own are a little wider.
const (
	maxBody    = 512 << 10
	maxRecords = 2048
	maxLine    = 128 << 10
)

// linger is how long records are gathered before they are sent.
const linger = 150 * time.Millisecond

// ErrOverdue says that records cannot be sent and no more can wait.
var ErrOverdue = errors.New("the gateway takes no records")

// Reporter sends records to the gateway, in order and at least once.
type Reporter struct {
	client   *Client
	report   func(error)
	patience time.Duration // Overdue; tests have less

	mu      sync.Mutex
	lines   [][]byte
	bytes   int
	overdue bool
	closed  bool
	lost    int
	freed   chan struct{} // closed when there is room again
	wake    chan struct{}

	ended  chan struct{}
	cancel context.CancelFunc
}

// NewReporter starts to send. report is told of the first failure of a series,
// of its end with nil, and of each record that the gateway refuses.
func NewReporter(c *Client, report func(error)) *Reporter {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Reporter{
		client: c, report: report, patience: Overdue, freed: make(chan struct{}), wake: make(chan struct{}, 1), ended: make(chan struct{}), cancel: cancel,
	}
	go r.run(ctx)
	return r
}

// Append masks a record and puts it into the queue. Its error is ErrOverdue, or
// that the reporter is closed.
func (r *Reporter) Append(rec *schemas.Record) error {
	line, err := encode(rec)
	if err != nil {
		return err
	}
	deadline := time.NewTimer(r.patience)
	defer deadline.Stop()
	for {
		room, err := r.put(line)
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-deadline.C:
			r.mu.Lock()
			r.overdue = true
			r.mu.Unlock()
			return ErrOverdue
		}
	}
}

// put adds a line, or returns what is closed when there may be room.
func (r *Reporter) put(line []byte) (room <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch full := len(r.lines) >= MaxQueued || r.bytes+len(line) > MaxQueuedBytes; {
	case r.closed:
		return nil, errors.New("the reporter is closed")
	case full && r.overdue:
		return nil, ErrOverdue
	case full:
		return r.freed, nil
	}
	r.overdue = false
	r.lines = append(r.lines, line)
	r.bytes += len(line)
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil, nil
}

// encode makes a line; a record that is too long loses its arguments.
func encode(rec *schemas.Record) ([]byte, error) {
	audit.Mask(rec)
	line, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	if len(line) > maxLine && rec.Input != nil && rec.Input.Exec != nil && len(rec.Input.Exec.Commands) > 0 {
		short, input, in := *rec, *rec.Input, *rec.Input.Exec
		in.Commands = in.Commands[:1:1]
		first := in.Commands[0]
		first.Args = []string{"(too long to be reported)"}
		in.Commands = []schemas.Command{first}
		input.Exec, short.Input = &in, &input
		if line, err = json.Marshal(&short); err != nil {
			return nil, err
		}
	}
	return append(line, '\n'), nil
}

// run sends what waits until it is told to stop.
func (r *Reporter) run(ctx context.Context) {
	defer close(r.ended)
	wait, away := time.Duration(0), false
	for {
		if !r.gather(ctx) {
			return
		}
		body, n := r.batch(maxRecords)
		if n == 0 {
			continue
		}
		err := r.deliver(ctx, body, n)
		switch {
		case err == nil && away:
			r.report(nil)
			fallthrough
		case err == nil:
			away, wait = false, 0
			continue
		case ctx.Err() != nil:
			return
		case !away:
			r.report(err)
		}
		away, wait = true, pause(err, wait)
		if !sleep(ctx, wait) {
			return
		}
	}
}

// gather waits for records, and a little for more; false ends.
func (r *Reporter) gather(ctx context.Context) bool {
	r.mu.Lock()
	waiting, closed, size := len(r.lines), r.closed, r.bytes
	r.mu.Unlock()
	switch {
	case waiting == 0 && closed:
		return false
	case waiting == 0:
		select {
		case <-ctx.Done():
			return false
		case <-r.wake:
		}
		return true
	case closed || size >= maxBody:
		return true
	}
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-r.wake:
			if r.urgent() {
				return true
			}
		}
	}
}

func (r *Reporter) urgent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed || r.bytes >= maxBody
}

// batch is the beginning of the queue, of at most so many records.
func (r *Reporter) batch(most int) (body []byte, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(r.lines) && n < most && (n == 0 || len(body)+len(r.lines[n]) <= maxBody) {
		body = append(body, r.lines[n]...)
		n++
	}
	return body, n
}

// deliver sends the first n records. What the gateway finds wrong with one
// concerns all of them, so they are sent one by one then, and that one is lost.
func (r *Reporter) deliver(ctx context.Context, body []byte, n int) error {
	err := r.send(ctx, body)
	if !wrong(err) {
		if err == nil {
			r.drop(n)
		}
		return err
	}
	for range n {
		one, _ := r.batch(1)
		err := r.send(ctx, one)
		if wrong(err) {
			r.mu.Lock()
			r.lost++
			r.mu.Unlock()
			r.report(err)
			err = nil
		}
		if err != nil {
			return err
		}
		r.drop(1)
	}
	return nil
}

// wrong tells whether the gateway took offence at a record.
func wrong(err error) bool {
	var f *refused
	return errors.As(err, &f) && (f.status == http.StatusBadRequest || f.status == http.StatusRequestEntityTooLarge)
}

func (r *Reporter) send(ctx context.Context, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.client.base.String()+"/sandbox/v1/records", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := r.client.do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusNotFound:
		return fault.New(fault.CodeGateway, "what answers is no gateway: it takes no records")
	}
	return failure(resp)
}

func (r *Reporter) drop(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines[:n] {
		r.bytes -= len(line)
	}
	clear(r.lines[:n])
	if r.lines = r.lines[n:]; len(r.lines) == 0 {
		r.lines = nil
	}
	close(r.freed)
	r.freed = make(chan struct{})
}

// Close sends what is left, for at most so long, and returns how many records the
// gateway did not take.
func (r *Reporter) Close(patience time.Duration) (lost int) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
	stop := time.AfterFunc(patience, r.cancel)
	<-r.ended
	stop.Stop()
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost + len(r.lines)
}
