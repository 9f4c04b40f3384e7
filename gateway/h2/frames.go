package h2

import "encoding/binary"

// The kinds of frames that are looked at (RFC 9113, section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	frameReset        = 0x3
	frameGoAway       = 0x7
	frameContinuation = 0x9

	flagEndHeaders = 0x4

	headerSize = 9
)

// frame is the head of a frame, and the error code that some begin with.
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
	code   uint32 // of RST_STREAM and GOAWAY
}

// scanner finds the frames in a stream of bytes that comes in pieces. It keeps no
// payload but the bytes up to an error code.
type scanner struct {
	head    [headerSize + 8]byte
	have    int // bytes of head that are there
	need    int // bytes of head wanted before the frame is reported
	left    int // bytes of payload to pass over
	block   bool
	current frame
}

// scan consumes bytes and calls fn for each frame whose head is complete.
func (s *scanner) scan(b []byte, fn func(frame)) {
	for len(b) > 0 {
		if s.have == 0 && s.left > 0 {
			n := min(s.left, len(b))
			s.left -= n
			b = b[n:]
			continue
		}
		if s.have == 0 {
			s.need = headerSize
		}
		n := copy(s.head[s.have:s.need], b)
		s.have += n
		b = b[n:]
		if s.have == s.need {
			s.complete(fn)
		}
	}
}

// complete reads the head, then, for frames that carry one, waits for the error
// code.
func (s *scanner) complete(fn func(frame)) {
	if s.have == headerSize {
		h := s.head[:headerSize]
		s.current = frame{
			length: int(h[0])<<16 | int(h[1])<<8 | int(h[2]), kind: h[3], flags: h[4],
			stream: binary.BigEndian.Uint32(h[5:]) & 0x7fffffff,
		}
		s.block = s.opensBlock()
		if more := s.current.codeEnd(); more > 0 {
			s.need = headerSize + more
			return
		}
	}
	if s.have > headerSize {
		s.current.code = binary.BigEndian.Uint32(s.head[s.have-4:])
	}
	s.left = s.current.length - (s.have - headerSize)
	s.have = 0
	fn(s.current)
}

// codeEnd is where in the payload the error code ends, or 0 for a frame without.
func (f *frame) codeEnd() int {
	switch {
	case f.kind == frameReset && f.length >= 4:
		return 4
	case f.kind == frameGoAway && f.length >= 8:
		return 8
	}
	return 0
}

// opensBlock tells whether a header block is in progress after this frame.
func (s *scanner) opensBlock() bool {
	switch s.current.kind {
	case frameHeaders, frameContinuation:
		return s.current.flags&flagEndHeaders == 0
	}
	return s.block
}

// between tells whether the stream stands where it may rest: at the end of a
// frame that leaves no header block open, or inside of data, whose time others
// keep.
func (s *scanner) between() bool {
	if s.block {
		return false
	}
	if s.have > 0 {
		return false
	}
	return s.left == 0 || s.current.kind == frameData
}
