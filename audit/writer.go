package audit

import (
	"fmt"
	"strconv"
)

// batchBytes bounds what one write call holds.
const batchBytes = 256 << 10

// write is the only goroutine that touches the file: it takes what is queued,
// writes it in one call and wakes everyone who waits for it.
func (l *Log) write() {
	defer close(l.done)
	var buf []byte
	var waiting []entry
	for e := range l.queue {
		buf, waiting = l.collect(buf[:0], waiting[:0], e)
		first := l.seq - uint64(len(waiting)) + 1
		err := l.flush(buf)
		for i, w := range waiting {
			if w.done != nil {
				w.done <- result{seq: first + uint64(i), err: err}
			}
		}
	}
}

func (l *Log) collect(buf []byte, waiting []entry, e entry) ([]byte, []entry) {
	for {
		l.seq++
		buf = appendNumbered(buf, e.line, l.seq)
		waiting = append(waiting, e)
		if len(buf) >= batchBytes {
			return buf, waiting
		}
		var ok bool
		select {
		case e, ok = <-l.queue:
			if !ok {
				return buf, waiting
			}
		default:
			return buf, waiting
		}
	}
}

// flush writes one batch. A batch that was written in part is cut off again, so
// that the file never holds half a line before a whole one; the error stays.
func (l *Log) flush(buf []byte) error {
	if l.failed != nil {
		return l.failed
	}
	n, err := l.file.Write(buf)
	if err == nil && l.sync {
		err = l.file.Sync()
	}
	if err != nil {
		l.failed = fmt.Errorf("write audit log: %w", err)
		if n > 0 {
			_ = l.file.Truncate(l.lastSize)
		}
		return l.failed
	}
	l.lastSize += int64(n)
	return nil
}

// appendNumbered appends the line with its sequence number, which encode left 0
// in the last place, and a newline.
func appendNumbered(buf, line []byte, seq uint64) []byte {
	buf = append(buf, line[:len(line)-len(unnumbered)]...)
	buf = strconv.AppendUint(buf, seq, 10)
	return append(buf, "}}\n"...)
}
