package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// Position is where reading begins. The zero value is the oldest record.
type Position struct {
	// Seq is the number of the first record that is wanted.
	Seq uint64
	// Since lets parts of the log be skipped that hold only earlier records. What
	// is read may still be earlier: records need not be in the order of their
	// times.
	Since time.Time
}

// Entry is one record as it stands in the log.
type Entry struct {
	Seq  uint64 // by its place
	Line []byte // without the newline; valid until the next entry
}

// Records reads the records of a log, oldest first: the closed segments, then
// the live one up to its last whole line. Path is a log's directory or a plain
// file. It ends after the first error.
func Records(path string, from Position) iter.Seq2[*schemas.Record, error] {
	return func(yield func(*schemas.Record, error) bool) {
		for e, err := range Entries(path, from) {
			if err != nil {
				yield(nil, err)
				return
			}
			r, err := decode(e.Line)
			if err != nil {
				yield(nil, fmt.Errorf("%s: record %d: %w", path, e.Seq, err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Entries is Records without decoding.
func Entries(path string, from Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		info, err := os.Stat(path)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if !info.IsDir() {
			(&lineReader{from: from, yield: yield}).file(path)
			return
		}
		eachSegment(path, from, yield)
	}
}

// eachSegment reads the segments that are there, and those that came meanwhile.
func eachSegment(dir string, from Position, yield func(Entry, error) bool) {
	for next := max(from.Seq, 1); ; {
		segs, err := Segments(dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		read := false
		for _, s := range segs {
			if !s.Live() && s.Next <= next || s.Live() && read && s.First < next {
				continue
			}
			lr := &lineReader{from: Position{Seq: next, Since: from.Since}, yield: yield}
			if !lr.segment(s) {
				return
			}
			next, read = max(lr.next, s.Next, next), true
		}
		if len(segs) == 0 || !rotated(dir, segs[len(segs)-1].First) {
			return
		}
	}
}

// rotated tells whether a segment was begun after the one that was the last.
func rotated(dir string, last uint64) bool {
	segs, err := Segments(dir)
	return err == nil && len(segs) > 0 && segs[len(segs)-1].First > last
}

// Entries reads one segment. A plain segment that was rotated away meanwhile is
// read in its compressed form.
func (s Segment) Entries(from Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		(&lineReader{from: from, yield: yield}).segment(s)
	}
}

// Damage is what makes a log unreadable at a place, other than an error of the
// machine.
type Damage struct {
	Path string
	Seq  uint64 // number of the first record that cannot be read
	Next uint64 // number of the first one that can be again; 0 not known
	What string
	// Holds is the number of the record that stands in the place; 0 not known.
	Holds uint64
}

func (d *Damage) Error() string { return fmt.Sprintf("%s: record %d: %s", d.Path, d.Seq, d.What) }

// wrongPlace is the number of a record that stands where another must.
type wrongPlace uint64

func (w wrongPlace) Error() string { return fmt.Sprintf("in its place stands record %d", uint64(w)) }

// lineReader hands the lines of files to a caller until that has enough.
type lineReader struct {
	from  Position
	next  uint64 // number of the next line; 0 as the lines say
	yield func(Entry, error) bool
}

func (r *lineReader) fail(path string, err error) bool {
	var io *fs.PathError
	if !errors.As(err, &io) {
		d := &Damage{Path: path, Seq: max(r.next, 1), What: err.Error()}
		var wrong wrongPlace
		if errors.As(err, &wrong) {
			d.Holds = uint64(wrong)
		}
		err = d
	}
	r.yield(Entry{}, err)
	return false
}

// segment reads one segment and tells whether more is wanted.
func (r *lineReader) segment(s Segment) bool {
	r.next = s.First
	f, err := os.Open(s.Path)
	if errors.Is(err, fs.ErrNotExist) && !s.Compressed {
		s.Path, s.Compressed = strings.TrimSuffix(s.Path, plainSuffix)+packedSuffix, true
		f, err = os.Open(s.Path)
	}
	if err != nil {
		r.yield(Entry{}, err)
		return false
	}
	defer f.Close()
	more := false
	if s.Compressed {
		more = r.frames(s, f)
	} else {
		more = r.lines(s, bufio.NewReaderSize(f, 256<<10))
	}
	if more && s.Next > r.next {
		what := fmt.Sprintf("the file ends here, and the next begins at record %d", s.Next)
		r.yield(Entry{}, &Damage{Path: s.Path, Seq: r.next, Next: s.Next, What: what})
		return false
	}
	return more
}

// lines reads a plain segment. What stands behind a closed one's last record was
// abandoned by the writer, which has written it to the next.
func (r *lineReader) lines(s Segment, br *bufio.Reader) bool {
	for s.Live() || r.next < s.Next {
		line, err := readLine(br)
		if err == io.EOF {
			return true
		}
		if err != nil {
			return r.fail(s.Path, err)
		}
		if !r.emit(line[:len(line)-1]) {
			return false
		}
	}
	return true
}

func (r *lineReader) emit(line []byte) bool {
	seq := r.next
	r.next++
	return seq < r.from.Seq || r.yield(Entry{seq, line}, nil)
}

// frames reads a compressed segment.
func (r *lineReader) frames(s Segment, f *os.File) bool {
	fr, err := newFrameReader(f)
	if err != nil {
		return r.fail(s.Path, err)
	}
	defer fr.close()
	for {
		h, err := fr.header()
		if err == io.EOF {
			return true
		}
		if err == nil && h.first != r.next {
			err = wrongPlace(h.first)
		}
		if err == nil && !s.Live() && h.first+uint64(h.records) > s.Next {
			err = fmt.Errorf("a frame goes up to record %d, and the next segment begins at %d", h.first+uint64(h.records)-1, s.Next)
		}
		if err != nil {
			return r.fail(s.Path, err)
		}
		if h.first+uint64(h.records) <= r.from.Seq || h.endsBefore(r.from.Since) {
			if err := fr.skip(h); err != nil {
				return r.fail(s.Path, err)
			}
			r.next += uint64(h.records)
			continue
		}
		if more, err := r.frame(fr, h); !more || err != nil {
			return err == nil && more || err != nil && r.fail(s.Path, err)
		}
	}
}

func (r *lineReader) frame(fr *frameReader, h frame) (more bool, err error) {
	lines, err := fr.lines(h)
	if err != nil {
		return false, err
	}
	if n := bytes.Count(lines, []byte("\n")); n != int(h.records) {
		return false, fmt.Errorf("a frame holds %d records, its header says %d", n, h.records)
	}
	for len(lines) > 0 {
		i := bytes.IndexByte(lines, '\n')
		if !r.emit(lines[:i]) {
			return false, nil
		}
		lines = lines[i+1:]
	}
	return true, nil
}

// file reads a plain file of records, which the records themselves number.
func (r *lineReader) file(path string) {
	f, err := os.Open(path)
	if err != nil {
		r.yield(Entry{}, err)
		return
	}
	defer f.Close()
	br := bufio.NewReaderSize(f, 256<<10)
	for number := uint64(1); ; number++ {
		line, err := readLine(br)
		if err == io.EOF {
			return
		}
		if err != nil {
			r.next = number
			r.fail(path, err)
			return
		}
		line = line[:len(line)-1]
		seq, ok := lineSeq(line)
		if !ok {
			seq = number
		}
		if seq >= r.from.Seq && !r.yield(Entry{seq, line}, nil) {
			return
		}
	}
}
