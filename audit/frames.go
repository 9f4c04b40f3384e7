package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A closed segment is a sequence of pairs: a skippable zstd frame that says what
// follows, and an ordinary frame with whole lines. Any zstd decoder reads the
// lines; ours also finds a record, or a time, without decoding what stands before.
//
// The skippable frame: magic 0x184D2A5A, length 40, then (little-endian)
//
//	0  "OSA1"
//	4  uint32 bytes of the frame that follows
//	8  uint32 bytes of its lines
//	12 uint32 number of its lines
//	16 uint64 number (seq) of its first record
//	24 int64  earliest timestamp, nanoseconds since 1970
//	32 int64  latest timestamp
const (
	frameMagic  = 0x184D2A5A
	frameTag    = "OSA1"
	frameBody   = 40
	frameHead   = 8 + frameBody
	frameTarget = 512 << 10               // bytes of lines in a frame, unless one line is longer
	maxFrame    = maxLine + 2*frameTarget // what is believed of a header
)

// frame is the header of one frame.
type frame struct {
	packed, plain, records uint32
	first                  uint64
	from, to               int64
}

func (f *frame) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, frameMagic)
	b = le.AppendUint32(b, frameBody)
	b = append(b, frameTag...)
	b = le.AppendUint32(b, f.packed)
	b = le.AppendUint32(b, f.plain)
	b = le.AppendUint32(b, f.records)
	b = le.AppendUint64(b, f.first)
	b = le.AppendUint64(b, uint64(f.from))
	return le.AppendUint64(b, uint64(f.to))
}

func parseFrame(b []byte) (f frame, err error) {
	le := binary.LittleEndian
	if len(b) < frameHead || le.Uint32(b) != frameMagic || le.Uint32(b[4:]) != frameBody || string(b[8:12]) != frameTag {
		return f, errors.New("no frame header where one must be")
	}
	f = frame{
		packed: le.Uint32(b[12:]), plain: le.Uint32(b[16:]), records: le.Uint32(b[20:]), first: le.Uint64(b[24:]),
		from: int64(le.Uint64(b[32:])), to: int64(le.Uint64(b[40:])),
	}
	if f.plain > maxFrame || f.packed > maxFrame || f.records == 0 || f.records > f.plain {
		return f, errors.New("frame header with impossible lengths")
	}
	return f, nil
}

// frameReader reads a compressed segment frame by frame. Its buffers are used
// again for each frame.
type frameReader struct {
	r      io.ReadSeeker
	dec    *zstd.Decoder
	packed []byte
	plain  []byte
}

func newFrameReader(r io.ReadSeeker) (*frameReader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	return &frameReader{r: r, dec: dec}, nil
}

func (f *frameReader) close() { f.dec.Close() }

// header reads the next frame's header; io.EOF says that there is none.
func (f *frameReader) header() (frame, error) {
	var b [frameHead]byte
	if _, err := io.ReadFull(f.r, b[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return frame{}, errors.New("frame header is cut short")
		}
		return frame{}, err
	}
	return parseFrame(b[:])
}

func (f *frameReader) skip(h frame) error {
	_, err := f.r.Seek(int64(h.packed), io.SeekCurrent)
	return err
}

// lines returns the frame's lines, valid until the next call.
func (f *frameReader) lines(h frame) ([]byte, error) {
	f.packed = sized(f.packed, int(h.packed))
	if _, err := io.ReadFull(f.r, f.packed); err != nil {
		return nil, errors.New("frame is cut short")
	}
	f.plain = sized(f.plain, int(h.plain))
	lines, err := f.dec.DecodeAll(f.packed, f.plain[:0:h.plain])
	if err != nil {
		return nil, fmt.Errorf("frame does not decode: %w", err)
	}
	if len(lines) != int(h.plain) || lines[len(lines)-1] != '\n' {
		return nil, errors.New("frame does not hold what its header says")
	}
	return lines, nil
}

func sized(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}

// ends tells whether every record of the frame is from before the time.
func (f frame) endsBefore(t time.Time) bool {
	return !t.IsZero() && time.Unix(0, f.to).Before(t)
}
