package audit

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/openshell-policy/openshell/schemas"
)

// A checkpoint is signed signEvery after the first record that none covers, and
// what could not be written is tried again after retryAfter. The committer yields
// gatherYields times in vain before it goes on.
const (
	signEvery  = time.Second
	retryAfter = 100 * time.Millisecond

	gatherYields = 40
)

// committer is the state of the goroutine that writes; nobody else touches it
// while that runs.
type committer struct {
	l       *Log
	live    *live
	edge    edge
	hasher  *leafHasher
	scratch scratch
	out     []byte // the lines of a batch
	ends    []int  // where each ends in out, without its newline
	pending []fullTile
	partial []tile // written for the last checkpoint

	newest   []byte    // the last checkpoint
	signed   uint64    // its size
	signAt   time.Time // when the next is due; zero there is no news
	unsigned time.Time // since when signing fails; zero it does not
	lost     error     // what Close has to say
	overdue  *time.Timer
}

// fullTile is a tile that waits to be written to its file.
type fullTile struct {
	tile
	hashes []tlog.Hash
}

// commits is the committer.
func (l *Log) commits() {
	defer close(l.ended)
	c := &l.com
	c.overdue = time.AfterFunc(time.Hour, l.stall)
	c.overdue.Stop()
	sleep := time.NewTimer(time.Hour)
	defer sleep.Stop()
	for {
		b, pause, more := l.take()
		if b != nil {
			l.commit(b)
			c.signIfDue()
			l.gather(b.waits)
			continue
		}
		if !more {
			return
		}
		if !c.signAt.IsZero() {
			pause = min(pause, max(0, time.Until(c.signAt)))
		}
		sleep.Reset(pause)
		select {
		case <-l.wake:
		case <-l.stop:
		case <-sleep.C:
			c.signIfDue()
		}
	}
}

// gather lets those who have waited for the last batch come with their next
// records: else the first of them alone would take up the next sync. It yields as
// long as more come, and waits for nobody.
func (l *Log) gather(waited int) {
	for quiet, before := 0, 0; quiet < gatherYields; {
		runtime.Gosched()
		l.mu.Lock()
		now := l.batch.waits
		l.mu.Unlock()
		if now >= waited {
			return
		}
		if quiet++; now > before {
			quiet, before = 0, now
		}
	}
}

// take returns what is to be written now, or how long there is nothing to do;
// more is false when there never will be.
func (l *Log) take() (b *batch, pause time.Duration, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause = time.Hour
	if l.retry != nil {
		if pause = time.Until(l.retry.since.Add(retryAfter)); pause <= 0 || l.closed {
			b, l.retry = l.retry, nil
			l.flying = b
			return b, 0, true
		}
		return nil, pause, true // in the order in which they came
	}
	if len(l.batch.items) == 0 {
		return nil, pause, !l.closed
	}
	if l.batch.waits == 0 && l.batch.size < wakeBytes && !l.closed {
		if pause = time.Until(l.batch.since.Add(lazyFor)); pause > 0 {
			return nil, pause, true
		}
	}
	b = l.batch
	l.batch = l.spareBatch()
	l.flying = b
	return b, 0, true
}

// commit writes a batch and tells who waits for it.
func (l *Log) commit(b *batch) {
	c := &l.com
	c.build(b)
	c.overdue.Reset(l.opts.Overdue)
	err := c.persist(len(b.items))
	c.overdue.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying, l.stalled = nil, false
	if err != nil {
		err = fmt.Errorf("write audit log: %w", err)
	}
	b.finish(err)
	if err == nil {
		l.written.Add(uint64(len(b.items)))
		l.synced.Add(1)
		l.failing = nil
		l.free(len(b.items))
		l.recycle(b)
		return
	}
	l.again(b, err)
}

// again keeps of a batch that could not be written what was acknowledged. The
// others' callers were told. While something is kept, the log takes no records.
func (l *Log) again(b *batch, err error) {
	kept := l.keep(b)
	l.free(len(b.items) - len(kept.items))
	if l.failing = nil; len(kept.items) == 0 {
		return
	}
	if l.closed {
		l.com.lost = fmt.Errorf("%d audit records are lost: %w", len(kept.items), err)
		l.free(len(kept.items))
		return
	}
	kept.since = time.Now()
	l.failing, l.retry = err, kept
}

// keep returns a batch with the items that nobody waits for.
func (l *Log) keep(b *batch) *batch {
	kept := newBatch()
	kept.since, kept.bytes = b.since, b.bytes
	for _, it := range b.items {
		if !it.waited {
			kept.items = append(kept.items, it)
		}
	}
	return kept
}

// stall is called when a write is overdue: those who wait are told, and what
// nobody has been promised is dropped.
func (l *Log) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flying == nil {
		return
	}
	l.stalled = true
	l.flying.finish(errOverdue)
	if l.batch.waits > 0 {
		b := l.batch
		l.batch = l.keep(b)
		l.batch.size = b.size
		b.finish(errOverdue)
		l.free(len(b.items) - len(l.batch.items))
		return
	}
	l.free(0)
}

// build renders the batch as the lines to be written, numbered.
func (c *committer) build(b *batch) {
	c.out, c.ends = c.out[:0], c.ends[:0]
	for i := range b.items {
		it := &b.items[i]
		if it.from == it.to {
			it.from = len(b.bytes)
			b.bytes = append(b.bytes, c.encode(it.r)...)
			it.to = len(b.bytes)
		}
		it.r.Custom.Seq = uint64(c.edge.size) + uint64(i) + 1
		c.out = appendNumbered(c.out, b.bytes[it.from:it.to], it.r.Custom.Seq)
		c.ends = append(c.ends, len(c.out)-1)
	}
}

// encode renders a record that was acknowledged already, so it cannot be refused
// any more. Its caller has seen that it is not too long.
func (c *committer) encode(r *schemas.Record) []byte {
	line, err := c.l.encode(c.l.ctx, &c.scratch, r)
	if err == nil {
		return line
	}
	c.l.opts.Report(fmt.Errorf("audit record %s: %w", r.DecisionID, err))
	r.Input, r.Erased = nil, append(r.Erased, "/input")
	r.Custom.Reason = "not encodable"
	line, _ = c.scratch.encode(r) // without an input nothing can fail
	return line
}

// unnumbered is how a record ends before the writer numbers it: custom is the
// last member of a record and seq the last of custom.
const unnumbered = "0}}"

// appendNumbered appends the line with its sequence number, which encode left 0
// in the last place, and a newline.
func appendNumbered(buf, line []byte, seq uint64) []byte {
	buf = append(buf, line[:len(line)-len(unnumbered)]...)
	buf = strconv.AppendUint(buf, seq, 10)
	return append(buf, "}}\n"...)
}

// persist writes what build has made, and extends the tree when it is on disk.
func (c *committer) persist(records int) error {
	if err := c.write(c.out); err != nil {
		return err
	}
	from := 0
	for _, end := range c.ends {
		c.edge.push(c.hasher.sum(c.out[from:end]))
		from = end + 1
	}
	if c.signAt.IsZero() {
		c.signAt = time.Now().Add(signEvery)
	}
	if err := c.flushTiles(); err != nil {
		c.l.opts.Report(err) // no checkpoint is signed before they are there
	}
	if cap(c.out) > maxQueued {
		c.out = nil
	}
	return nil
}

// tileFull is told of every tile that gets full.
func (c *committer) tileFull(t tile, hashes []tlog.Hash) {
	c.pending = append(c.pending, fullTile{t, append([]tlog.Hash(nil), hashes...)})
}

func (c *committer) flushTiles() error {
	for len(c.pending) > 0 {
		if err := c.tiles().write(c.pending[0].tile, c.pending[0].hashes); err != nil {
			return err
		}
		c.pending = c.pending[1:]
	}
	c.pending = nil
	return nil
}

func (c *committer) tiles() tiles { return tiles{c.l.dir} }

// signIfDue signs a checkpoint where there is news for signEvery. While none can
// be written for long, the log takes no records: nothing would protect them.
func (c *committer) signIfDue() {
	if c.signAt.IsZero() || time.Now().Before(c.signAt) {
		return
	}
	err := c.checkpoint()
	now := time.Now()
	if err == nil {
		c.unsigned = time.Time{}
	} else {
		c.l.opts.Report(err)
		c.signAt = now.Add(signEvery)
		if c.unsigned.IsZero() {
			c.unsigned = now
		}
	}
	late := err != nil && now.Sub(c.unsigned) >= c.l.opts.Overdue
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.l.unsigned = nil; late {
		c.l.unsigned = err
	}
}

// checkpoint signs the tree as it is. The tiles that lead to its root are there
// before the checkpoint is.
func (c *committer) checkpoint() error {
	if err := c.flushTiles(); err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	partial := c.edge.tiles()
	for _, t := range partial {
		if slices.Contains(c.partial, t) {
			continue // of the last checkpoint, too
		}
		if err := c.tiles().write(t, c.edge.levels[t.level]); err != nil {
			return fmt.Errorf("sign checkpoint: %w", err)
		}
	}
	cp := Checkpoint{Origin: c.l.id.signer.Name(), Size: uint64(c.edge.size), Root: c.edge.root()}
	text, err := cp.sign(c.l.id.signer)
	if err == nil {
		err = replaceFile(filepath.Join(c.l.dir, checkpointFile), text)
	}
	if err != nil {
		return fmt.Errorf("sign checkpoint: %w", err)
	}
	c.newest, c.signed, c.signAt = text, cp.Size, time.Time{}
	c.l.copy.put(text)
	c.removePartial(partial)
	return nil
}

// removePartial deletes the unfinished tiles of the checkpoint before.
func (c *committer) removePartial(now []tile) {
	for _, t := range c.partial {
		if !slices.Contains(now, t) {
			_ = c.tiles().remove(t) // a wider one is there
		}
	}
	c.partial = now
}

// end signs what is unsigned and closes the live segment.
func (c *committer) end() error {
	err := c.lost
	if uint64(c.edge.size) > c.signed {
		err = errors.Join(err, c.checkpoint())
	}
	if c.live != nil {
		err = errors.Join(err, c.live.close())
	}
	return err
}
