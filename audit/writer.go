package audit

import (
	"fmt"
	"strconv"
)

// writeBatch writes what waits. The caller holds the lock, which is let go of
// while the file is written, and nobody else writes.
func (l *Log) writeBatch() {
	b := l.batch
	if b.records == 0 {
		return
	}
	l.batch, l.writing = newBatch(), true
	l.batch.lines, l.spare = l.spare, nil
	l.mu.Unlock()
	n, fatal, err := l.writeLines(b.lines)
	l.mu.Lock()
	l.size += int64(n)
	if l.last = err; fatal {
		l.failed = err
	}
	l.writing = false
	l.idle.Broadcast()
	if b.err = err; cap(b.lines) <= maxPending {
		l.spare = b.lines[:0]
	}
	close(b.done)
}

// writeLines writes one batch and returns how much the file grew. What was
// written in part is cut off again, so that no half line stands before a whole
// one. An error is fatal when it is not known any more what the file holds: a
// full disk may have room again, a failed sync may have lost what it was for.
func (l *Log) writeLines(lines []byte) (n int, fatal bool, err error) {
	if l.failed != nil { // set by the writer before, which has ended
		return 0, true, l.failed
	}
	n, err = l.file.Write(lines)
	if err == nil && l.sync {
		err = l.file.Sync()
		fatal = err != nil
	}
	if err == nil {
		return n, false, nil
	}
	if n > 0 && l.file.Truncate(l.size) != nil {
		fatal = true
	}
	return 0, fatal, fmt.Errorf("write audit log: %w", err)
}

// handOver lets a goroutine write what came in meanwhile, so that the caller who
// wrote is not kept by others. The caller holds the lock.
func (l *Log) handOver() {
	if l.batch.records > 0 && !l.writing && !l.closed {
		l.writing = true
		go l.drain()
	}
}

// drain writes until nothing waits. It is started with writing set.
func (l *Log) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.batch.records > 0 {
		l.writeBatch()
		l.writing = true
	}
	l.writing = false
	l.idle.Broadcast()
}

func (l *Log) flushLazy() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lazy = nil
	if !l.writing && !l.closed {
		l.writeBatch()
		l.handOver()
	}
}

// appendNumbered appends the line with its sequence number, which encode left 0
// in the last place, and a newline.
func appendNumbered(buf, line []byte, seq uint64) []byte {
	buf = append(buf, line[:len(line)-len(unnumbered)]...)
	buf = strconv.AppendUint(buf, seq, 10)
	return append(buf, "}}\n"...)
}
