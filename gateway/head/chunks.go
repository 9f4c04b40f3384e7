package head

import "errors"

// ErrBody is what reading a body returns when its chunks are not framed exactly
// as RFC 9112, section 7.1 has it.
var ErrBody = errors.New("the request body is not framed as chunks")

// maxTrailer bounds the trailer section, maxExtension what follows a chunk size.
const (
	maxTrailer   = 8 << 10
	maxExtension = 256
)

// chunks follows the framing of a chunked body to find its end. It keeps no
// data.
type chunks struct {
	state  chunkState
	digits int
	length int   // of the extension or trailer so far
	left   int64 // data bytes of the current chunk
	line   int   // bytes of the current trailer line
}

type chunkState int

const (
	chunkSize chunkState = iota
	chunkExtension
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkTrailerLF
	chunkEnd
)

// advance consumes bytes of the body and returns how many belong to it. It
// returns fewer than len(b) only at the end of the body.
func (c *chunks) advance(b []byte) (int, error) {
	for i := 0; i < len(b); {
		if c.state == chunkEnd {
			return i, nil
		}
		if c.state == chunkData {
			n := min(c.left, int64(len(b)-i))
			c.left -= n
			i += int(n)
			if c.left == 0 {
				c.state = chunkDataCR
			}
			continue
		}
		if !c.step(b[i]) {
			return i, ErrBody
		}
		i++
	}
	return len(b), nil
}

func (c *chunks) step(b byte) bool {
	switch c.state {
	case chunkSize:
		return c.size(b)
	case chunkExtension:
		return c.extension(b)
	case chunkSizeLF:
		return b == '\n' && c.sizeDone()
	case chunkDataCR:
		c.state = chunkDataLF
		return b == '\r'
	case chunkDataLF:
		*c = chunks{}
		return b == '\n'
	case chunkTrailer:
		return c.trailer(b)
	case chunkTrailerLF:
		return b == '\n' && c.trailerLineDone()
	}
	return false
}

func (c *chunks) size(b byte) bool {
	digit, ok := hexDigit(b)
	switch {
	case ok:
		c.digits++
		c.left = c.left<<4 | digit
		return c.digits <= 15
	case c.digits == 0:
		return false
	case b == '\r':
		c.state = chunkSizeLF
		return true
	case b == ';':
		c.state = chunkExtension
		return true
	}
	return false
}

// extension passes over what follows ";", but refuses quotes: a quoted line end
// is read differently by different programs.
func (c *chunks) extension(b byte) bool {
	if b == '\r' {
		c.state = chunkSizeLF
		return true
	}
	c.length++
	return c.length <= maxExtension && b > ' ' && b < 0x7f && b != '"'
}

func (c *chunks) sizeDone() bool {
	c.state = chunkData
	if c.left == 0 {
		*c = chunks{state: chunkTrailer}
	}
	return true
}

func (c *chunks) trailer(b byte) bool {
	if b == '\r' {
		c.state = chunkTrailerLF
		return true
	}
	if c.line == 0 && (b == ' ' || b == '\t' || b == ':') {
		return false
	}
	c.line++
	c.length++
	return c.length <= maxTrailer && (b >= ' ' && b != 0x7f || b == '\t')
}

func (c *chunks) trailerLineDone() bool {
	c.state = chunkTrailer
	if c.line == 0 {
		c.state = chunkEnd
	}
	c.line = 0
	return true
}

func hexDigit(b byte) (int64, bool) {
	switch {
	case b >= '0' && b <= '9':
		return int64(b - '0'), true
	case b >= 'a' && b <= 'f':
		return int64(b-'a') + 10, true
	case b >= 'A' && b <= 'F':
		return int64(b-'A') + 10, true
	}
	return 0, false
}
