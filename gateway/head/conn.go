package head

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options tune a Conn.
type Options struct {
	MaxBytes int           // of one head; 0 means 64 KiB
	Timeout  time.Duration // from the first byte of a head to its last; 0 means 10 s
	// OnAbort is called at most once, when the connection is closed on a head
	// that began but was never handed on.
	OnAbort func(*Fault)
	// Owner is what the handler wants to know about the connection.
	Owner any
}

// Conn is a connection whose Read hands on only heads that Scan accepts. For one
// that it refuses, the server is given a request made up here, which Fault
// recognises, so that the handler can answer and record it.
type Conn struct {
	net.Conn
	opts Options

	// Read state, touched by one reader at a time.
	mode    mode
	buf     []byte // empty, the array that heads are read into
	pending []byte // read, not yet looked at
	ready   []byte // may be handed on as it is
	left    int64  // of a body with a length
	chunks  chunks
	err     error

	mu       sync.Mutex
	server   time.Time // the deadline the server wants
	headEnds time.Time // the deadline of the head in progress
	began    bool      // a head is in progress
	fault    *Fault
	badBody  bool
	closing  sync.Once
}

type mode int

const (
	modeHead mode = iota
	modeLength
	modeChunks
	modeRaw
	modeDead
)

// NewConn wraps a connection that is about to be served.
func NewConn(c net.Conn, opts Options) *Conn {
	if opts.MaxBytes == 0 {
		opts.MaxBytes = 64 << 10
	}
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	return &Conn{Conn: c, opts: opts}
}

// Owner returns what Options.Owner gave.
func (c *Conn) Owner() any { return c.opts.Owner }

// Detach returns the connection underneath, and what was read of it but not
// handed on: for a connection that carries a tunnel from here on.
func (c *Conn) Detach() (net.Conn, []byte) {
	rest := append(c.ready, c.pending...)
	c.ready, c.pending, c.buf = nil, nil, nil
	return c.Conn, rest
}

// mark is a header value that no client can know; it tells a request made up
// here from any that a client sends.
var mark = rand.Text()

const markHeader = "Openshell-Fault"

// Fault returns why the request that this connection's client really sent was
// refused, or nil for a request that was not made up here.
func (c *Conn) Fault(r *http.Request) *Fault {
	if r.Header.Get(markHeader) != mark {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// BadBody tells whether a body broke off with ErrBody. The server reports such
// an error as a client that went away.
func (c *Conn) BadBody() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.badBody
}

func faultRequest() []byte {
	return []byte("GET / HTTP/1.1\r\nHost: fault\r\nConnection: close\r\n" + markHeader + ": " + mark + "\r\n\r\n")
}

// Read hands on the next bytes of a head, body or tunnel.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if len(c.ready) > 0 {
			n := copy(p, c.ready)
			if c.ready = c.ready[n:]; len(c.ready) == 0 {
				c.ready = nil
			}
			return n, nil
		}
		switch c.mode {
		case modeHead:
			if err := c.readHead(); err != nil {
				return 0, err
			}
		case modeDead:
			return 0, c.err
		default:
			return c.readBody(p)
		}
	}
}

// readHead collects one head, checks it and makes it ready. It can be called
// again after a deadline passed.
func (c *Conn) readHead() error {
	for {
		end := bytes.Index(c.pending, []byte("\n\r\n"))
		bare := bytes.Index(c.pending, []byte("\n\n"))
		switch {
		case len(c.pending) > 0 && isBinary(c.pending[0]):
			return c.die(&Fault{Detail: "the bytes are not HTTP"})
		case end >= 0 && (bare < 0 || end < bare) && end+3 <= c.opts.MaxBytes:
			c.accept(end + 3)
			return nil
		case bare >= 0:
			c.refuse(malformed("a line of the request head ends in a bare line feed"))
			return nil
		case len(c.pending) > c.opts.MaxBytes || end >= 0:
			c.refuse(c.tooLarge())
			return nil
		}
		if err := c.fill(); err != nil {
			return err
		}
	}
}

// isBinary tells the first byte of another protocol (TLS, SOCKS) from HTTP.
func isBinary(b byte) bool { return b < ' ' && b != '\r' && b != '\n' || b >= 0x7f }

// minRead is the room for one read, maxKept what an idle connection may keep.
const (
	minRead = 1 << 10
	maxKept = 8 << 10
)

func (c *Conn) fill() error {
	if len(c.pending) > 0 {
		c.begin()
	}
	if len(c.pending) == 0 {
		c.pending = c.buf[:0]
	}
	if cap(c.pending)-len(c.pending) < minRead {
		c.pending = slices.Grow(c.pending, 2*minRead)
		c.buf = c.pending[:0]
		if cap(c.buf) > maxKept {
			c.buf = nil
		}
	}
	n, err := c.Conn.Read(c.pending[len(c.pending):cap(c.pending)])
	c.pending = c.pending[:len(c.pending)+n]
	if n > 0 {
		return nil
	}
	return err
}

func (c *Conn) tooLarge() *Fault {
	f := &Fault{Status: http.StatusRequestHeaderFieldsTooLarge, Detail: "the request head is larger than " + strconv.Itoa(c.opts.MaxBytes) + " bytes"}
	if line, _, ok := bytes.Cut(c.pending, []byte("\r\n")); !ok || len(line) > MaxTarget {
		f.Status, f.Detail = http.StatusRequestURITooLong, "the request line is too long"
	}
	return f
}

func (c *Conn) accept(n int) {
	framing, fault := Scan(c.pending[:n])
	if fault != nil {
		c.refuse(fault)
		return
	}
	c.finish()
	c.ready = c.pending[:n:n]
	c.pending = c.pending[n:]
	switch {
	case framing.Raw:
		c.mode = modeRaw
	case framing.Chunked:
		c.mode, c.chunks = modeChunks, chunks{}
	case framing.Length > 0:
		c.mode, c.left = modeLength, framing.Length
	}
}

// refuse lets the handler answer, and reads nothing more.
func (c *Conn) refuse(f *Fault) {
	c.finish()
	c.mu.Lock()
	c.fault = f
	c.mu.Unlock()
	c.ready, c.pending = faultRequest(), nil
	c.mode, c.err = modeDead, io.EOF
}

// die ends the connection without an answer.
func (c *Conn) die(f *Fault) error {
	c.mode, c.err, c.pending = modeDead, io.EOF, nil
	c.mu.Lock()
	c.fault, c.began = f, true
	c.mu.Unlock()
	return io.EOF
}

func (c *Conn) readBody(p []byte) (int, error) {
	var n int
	var err error
	if len(c.pending) > 0 {
		n = copy(p, c.pending)
		n, err = c.consume(p[:n])
		if c.pending = c.pending[n:]; len(c.pending) == 0 {
			c.pending = nil
		}
		return n, err
	}
	if c.mode == modeLength {
		p = p[:min(int64(len(p)), c.left)]
	}
	n, err = c.Conn.Read(p)
	used, bodyErr := c.consume(p[:n])
	if used < n {
		c.pending = append(c.pending, p[used:n]...)
	}
	if bodyErr != nil {
		return used, bodyErr
	}
	return used, err // as it is: callers look for a time-out
}

// consume counts bytes of the body and returns how many belong to it.
func (c *Conn) consume(b []byte) (int, error) {
	switch c.mode {
	case modeLength:
		n := int(min(int64(len(b)), c.left))
		if c.left -= int64(n); c.left == 0 {
			c.mode = modeHead
		}
		return n, nil
	case modeChunks:
		n, err := c.chunks.advance(b)
		if err != nil {
			c.mode, c.err = modeDead, err
			c.mu.Lock()
			c.badBody = true
			c.mu.Unlock()
			return 0, err
		}
		if c.chunks.state == chunkEnd {
			c.mode = modeHead
		}
		return n, nil
	}
	return len(b), nil
}
