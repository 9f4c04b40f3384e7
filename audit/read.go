package audit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// maxLine bounds one line of a log that is read back, maxRecord one that is
// written.
const (
	maxLine   = 4 << 20
	maxRecord = 2 << 20
)

var errLong = fmt.Errorf("longer than %d bytes", maxLine)

// Filter selects records; the zero value selects all.
type Filter struct {
	Sandbox string    // as "sb-a1b2c3" or "a1b2c3"
	Since   time.Time // records before are left out
	Denied  bool      // only decisions that did not let the request pass
}

// Match tells whether the filter selects the record.
func (f Filter) Match(r *schemas.Record) bool {
	if f.Sandbox != "" && strings.TrimPrefix(f.Sandbox, "sb-") != strings.TrimPrefix(r.Custom.Sandbox, "sb-") {
		return false
	}
	if !f.Since.IsZero() && r.Timestamp.Before(f.Since) {
		return false
	}
	return !f.Denied || r.Custom.Type == schemas.RecordDecision && (r.Result == nil || !r.Result.Passes())
}

// Read calls fn for each record, in order, and stops at its first error. A last
// line without a newline is still being written and is left out; any other line
// that is no record is an error that names its number.
func Read(r io.Reader, fn func(*schemas.Record) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := readLine(br)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		rec, err := decode(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := fn(rec); err != nil {
			return err
		}
	}
}

func decode(line []byte) (*schemas.Record, error) {
	rec := new(schemas.Record)
	if err := json.Unmarshal(line, rec); err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	return rec, nil
}

// readLine returns one line with its newline, valid until the next read, or
// io.EOF where no newline follows.
func readLine(br *bufio.Reader) ([]byte, error) {
	part, err := br.ReadSlice('\n')
	if err == nil {
		return part, nil
	}
	var line []byte
	for {
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(line) > maxLine:
			return nil, errLong
		}
		part, err = br.ReadSlice('\n')
	}
}
