package query

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/zstd"

	"github.com/openshell-policy/openshell/audit"
)

// maxEvent bounds one event of a file.
const maxEvent = 16 << 20

// file reads a file of records or of another OPA's events.
func (m *matcher) file(path string) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		r, closer, err := open(path)
		if err != nil {
			yield(nil, err)
			return
		}
		defer closer()
		f := &fileReader{m: m, path: path, yield: yield}
		err = f.all(bufio.NewReaderSize(r, 256<<10))
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(nil, err)
		case f.events == 0 && f.skipped > 0:
			yield(nil, fmt.Errorf("%s: holds no decision (%d lines of something else)", path, f.skipped))
		}
		m.skipped += f.skipped
	}
}

var errStopped = errors.New("the caller has enough")

// open opens a file and unpacks it if it is packed.
func open(path string) (io.Reader, func(), error) {
	f := os.Stdin
	closer := func() {}
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, nil, err
		}
		closer = func() { f.Close() }
	}
	br := bufio.NewReaderSize(f, 64<<10)
	magic, _ := br.Peek(4) // a shorter file is text
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		zr, err := gzip.NewReader(br)
		if err != nil {
			closer()
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return zr, closer, nil
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), len(magic) == 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:], []byte{0x2a, 0x4d, 0x18}):
		zr, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			closer()
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		file := closer
		return zr, func() { zr.Close(); file() }, nil
	}
	return br, closer, nil
}

// fileReader hands the events of one file to a caller.
type fileReader struct {
	m       *matcher
	path    string
	yield   func(*Event, error) bool
	events  int
	skipped int
}

func (f *fileReader) fail(number int, err error) error {
	return fmt.Errorf("%s:%d: %w", f.path, number, err)
}

// all tells arrays and objects over several lines from lines.
func (f *fileReader) all(br *bufio.Reader) error {
	c, err := nonSpace(br)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	rest, _ := br.Peek(64)
	if c == '[' && arrayBegins(rest) || c == '{' && len(bytes.TrimSpace(firstLine(rest))) == 1 {
		return f.values(br)
	}
	return f.lines(br)
}

// arrayBegins tells an array of events from a line such as "[INFO] started".
func arrayBegins(b []byte) bool {
	b = bytes.TrimSpace(b[1:])
	return len(b) == 0 || b[0] == '{' || b[0] == ']'
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// values reads JSON values one after the other, arrays element by element.
func (f *fileReader) values(br *bufio.Reader) error {
	for n := 0; ; {
		c, err := nonSpace(br)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		limited := &limit{r: br, left: maxEvent}
		dec := json.NewDecoder(limited)
		if c == '[' {
			err = f.array(dec, limited, &n)
		} else {
			err = f.value(dec, &n)
		}
		if err != nil {
			return err
		}
		br = bufio.NewReader(io.MultiReader(dec.Buffered(), br))
	}
}

// nonSpace peeks at the next byte that is no space.
func nonSpace(br *bufio.Reader) (byte, error) {
	for {
		c, err := br.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			_ = br.UnreadByte() // of the byte just read
			return c, err
		}
	}
}

func (f *fileReader) array(dec *json.Decoder, limited *limit, n *int) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	for dec.More() {
		limited.left = maxEvent
		if err := f.value(dec, n); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s: event %d: the array does not end: %w", f.path, *n+1, unexpected(err))
	}
	return nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (f *fileReader) value(dec *json.Decoder, n *int) error {
	*n++
	var raw json.RawMessage
	err := dec.Decode(&raw)
	var line bytes.Buffer
	if err == nil {
		err = json.Compact(&line, raw)
	}
	if err != nil {
		return fmt.Errorf("%s: event %d: %w", f.path, *n, unexpected(err))
	}
	return f.event(line.Bytes(), *n)
}

// limit bounds what a decoder reads for one value.
type limit struct {
	r    io.Reader
	left int
}

// Read is for package json.
func (l *limit) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("an event is larger than %d bytes", maxEvent)
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// lines reads one event a line. A line may begin with what a log collector puts
// before it; one that holds no object is something else. A last line without an
// end may still be being written.
func (f *fileReader) lines(br *bufio.Reader) error {
	for number := 1; ; number++ {
		line, err := readLine(br)
		last := err == io.EOF
		if err != nil && !last {
			return f.fail(number, err)
		}
		object := bytes.TrimSpace(line)
		i := bytes.IndexByte(object, '{')
		if i > 0 {
			object = object[i:]
		}
		switch {
		case len(object) == 0:
		case i < 0, i > maxPrefix, i > 0 && !json.Valid(object):
			f.skipped++
		case last && !json.Valid(object):
		default:
			if err := f.event(object, number); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// maxPrefix bounds what stands before an event in its line.
const maxPrefix = 256

// readLine returns one line, and io.EOF with what follows the last newline.
func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		if err == nil && line == nil {
			return part, nil
		}
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxEvent {
			return nil, fmt.Errorf("longer than %d bytes", maxEvent)
		}
	}
}

// event hands one event on if the filter selects it.
func (f *fileReader) event(raw []byte, number int) error {
	line, ok, err := Convert(raw, uint64(number))
	if err != nil {
		return f.fail(number, err)
	}
	if !ok {
		f.skipped++
		return nil
	}
	f.events++
	e := &Event{Log: f.path, Seq: uint64(number), Line: line}
	if len(line) != len(raw) || &line[0] != &raw[0] {
		e.Raw = raw
	}
	if e.Fields, err = audit.ParseFields(line); err != nil {
		return f.fail(number, err)
	}
	if e.Raw == nil && e.Fields.Seq > 0 {
		e.Seq = e.Fields.Seq
	}
	if f.m.match(e) && !f.yield(e, nil) {
		return errStopped
	}
	return nil
}
