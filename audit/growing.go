package audit

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// openFile is a plain file that is read while it grows.
type openFile struct {
	file   *os.File
	first  uint64 // number of the first line
	next   uint64 // of the next
	offset int64
	rest   []byte // a line whose end is not written yet
	buf    []byte
}

func openAt(path string, first uint64) (*openFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &openFile{file: f, first: first, next: first, buf: make([]byte, 64<<10)}, nil
}

func (o *openFile) shrunk() bool {
	info, err := o.file.Stat()
	return err == nil && info.Size() < o.offset
}

// read calls fn for each whole line up to the one with number limit, 0 none.
func (o *openFile) read(limit uint64, fn func(Entry) error) error {
	for {
		n, err := o.file.Read(o.buf)
		o.offset += int64(n)
		o.rest = append(o.rest, o.buf[:n]...)
		if err := o.emit(limit, fn); err != nil {
			return err
		}
		if err == io.EOF || n == 0 || limit > 0 && o.next >= limit {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (o *openFile) emit(limit uint64, fn func(Entry) error) error {
	done := 0
	defer func() { o.rest = append(o.rest[:0], o.rest[done:]...) }()
	for limit == 0 || o.next < limit {
		i := bytes.IndexByte(o.rest[done:], '\n')
		if i < 0 {
			if len(o.rest)-done > maxLine {
				return fmt.Errorf("record %d is longer than %d bytes", o.next, maxLine)
			}
			return nil
		}
		line := o.rest[done : done+i]
		done += i + 1
		o.next++
		if err := fn(Entry{o.next - 1, line}); err != nil {
			return err
		}
	}
	return nil
}
