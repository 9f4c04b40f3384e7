package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/openshell-policy/openshell/schemas"
)

// unnumbered is how a record ends before the writer numbers it: custom is the
// last member of a record and seq the last of custom.
const unnumbered = "0}}"

// lines are reused once their bytes are in a batch.
var lines = sync.Pool{New: func() any { return &line{b: make([]byte, 0, 2048)} }}

// encode renders the record as one line without a number and a newline, so that
// callers encode in parallel and only the writer orders.
func (l *line) encode(r *schemas.Record) ([]byte, error) {
	l.b = l.b[:0]
	if err := l.record(r); err != nil {
		return nil, fmt.Errorf("encode audit record: %w", err)
	}
	return l.b, nil
}

// recoverTail returns the sequence number of the last whole record and the size
// of the file after a torn last line was cut off.
func recoverTail(f *os.File) (seq uint64, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	tail, start, err := lastLines(f, info.Size())
	if err != nil {
		return 0, 0, err
	}
	end := bytes.LastIndexByte(tail, '\n') + 1
	size = start + int64(end)
	if size != info.Size() {
		if err := f.Truncate(size); err != nil {
			return 0, 0, err
		}
	}
	if end == 0 {
		return 0, size, nil
	}
	line := tail[:end-1]
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	var r struct {
		Custom struct {
			Seq uint64 `json:"seq"`
		} `json:"custom"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, 0, fmt.Errorf("last record is not readable: %w", err)
	}
	return r.Custom.Seq, size, nil
}

// lastLines reads a tail of the file that holds at least one whole line, or all
// of it, and says where the tail starts.
func lastLines(f io.ReaderAt, size int64) (tail []byte, start int64, err error) {
	for want := int64(64 << 10); ; want *= 4 {
		start = max(0, size-want)
		tail = make([]byte, size-start)
		if _, err := f.ReadAt(tail, start); err != nil && err != io.EOF {
			return nil, 0, err
		}
		if start == 0 || bytes.Count(tail, []byte("\n")) >= 2 {
			return tail, start, nil
		}
	}
}
