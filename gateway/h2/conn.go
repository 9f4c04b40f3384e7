// Package h2 watches the frames of an HTTP/2 connection that net/http serves.
// What net/http finds malformed it answers by itself, and no handler hears of it:
// the stream is reset, or the connection ends. A Conn sits under the server and
// counts the requests that begin against those that reach the handler, so that
// each of the others can be recorded. It also gives frames a deadline, which
// net/http does not.
package h2

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Preface is what a client begins a connection with (RFC 9113, section 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Options tune a Conn.
type Options struct {
	Timeout time.Duration // from the first byte of a header block to its last; 0 means 10 s
	// Unanswered is called once for each request that began and will never reach
	// the handler, and once for a connection that ended in an error without one.
	Unanswered func(detail string)
	// Owner is what the handler wants to know about the connection.
	Owner any
}

// unheardAfter is how long a request that the handler has not seen may still be
// on its way there.
const unheardAfter = time.Second

// A client may reset as many streams as it likes to have open at once, twice over,
// and some each second: each costs a request that is not answered, and perhaps a
// connection to the origin that nobody wants any more (CVE-2023-44487).
const (
	resetBurst     = 500
	resetPerSecond = 100
)

// Conn is a connection whose frames are watched in both directions.
type Conn struct {
	net.Conn
	opts    Options
	in      scanner
	out     scanner
	preface int // bytes of it seen

	mu       sync.Mutex
	last     uint32 // highest stream that a client opened
	opened   int
	handled  int
	told     int
	why      string // of the last error that the server sent
	failed   bool   // the connection ended in an error
	checking bool
	closed   bool
	resets   float64 // that the client sent, less what it may by now
	resetAt  time.Time
	flooded  bool
	server   time.Time // the deadline the server wants
	block    time.Time // the deadline of the header block in progress
}

// NewConn wraps a connection on which a client speaks HTTP/2 from the first byte.
func NewConn(c net.Conn, opts Options) *Conn {
	if opts.Timeout == 0 {
		opts.Timeout = 10 * time.Second
	}
	return &Conn{Conn: c, opts: opts}
}

// Owner returns what Options.Owner gave.
func (c *Conn) Owner() any { return c.opts.Owner }

// Handled tells that a request reached the handler.
func (c *Conn) Handled() {
	c.mu.Lock()
	c.handled++
	c.mu.Unlock()
}

// Read hands on what the client sends. A connection that does not begin as it must
// ends here: net/http would read its bytes as HTTP/1.
func (c *Conn) Read(p []byte) (int, error) {
	if c.preface == 0 {
		c.begin()
	}
	n, err := c.Conn.Read(p)
	b := p[:n]
	for c.preface < len(Preface) && len(b) > 0 {
		if b[0] != Preface[c.preface] {
			c.fail("the connection does not begin as HTTP/2 does")
			_ = c.Conn.Close() // before net/http answers in HTTP/1
			return 0, io.ErrUnexpectedEOF
		}
		c.preface++
		b = b[1:]
		if c.preface == len(Preface) {
			c.end()
		}
	}
	c.in.scan(b, c.received)
	if c.flooded {
		c.fail("the client resets streams faster than they can be served")
		_ = c.Conn.Close()
		return 0, io.ErrUnexpectedEOF
	}
	if len(b) > 0 && c.preface == len(Preface) {
		c.watchBlock()
	}
	return n, err
}

// Write sends what the server answers.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.out.scan(p[:n], c.sent)
	return n, err
}

func (c *Conn) received(f frame) {
	if f.kind == frameReset {
		c.reset(time.Now())
	}
	if f.kind != frameHeaders {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.stream <= c.last || f.stream%2 == 0 {
		return // a trailer, or nothing that could open a stream
	}
	c.last = f.stream
	c.opened++
	c.checkLater()
}

// reset counts a stream that the client reset. Only Read, which one goroutine
// calls, looks at the count.
func (c *Conn) reset(now time.Time) {
	c.resets = max(0, c.resets-now.Sub(c.resetAt).Seconds()*resetPerSecond) + 1
	c.resetAt = now
	c.flooded = c.flooded || c.resets > resetBurst
}

func (c *Conn) sent(f frame) {
	switch {
	case f.kind == frameReset && f.code != 0:
		c.note(fmt.Sprintf("the request is malformed HTTP/2 (error %d)", f.code), false)
	case f.kind == frameGoAway && f.code != 0:
		c.note(fmt.Sprintf("the connection is malformed HTTP/2 (error %d)", f.code), true)
	}
}

func (c *Conn) note(why string, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why, c.failed = why, c.failed || failed
}

func (c *Conn) fail(why string) { c.note(why, true) }

// checkLater looks, a while after a request began, whether the handler saw it. The
// caller holds the lock.
func (c *Conn) checkLater() {
	if c.checking || c.closed {
		return
	}
	c.checking = true
	begun := c.opened
	time.AfterFunc(unheardAfter, func() {
		c.mu.Lock()
		c.checking = false
		n := begun - c.handled - c.told
		c.tell(n)
		if c.opened > c.handled+c.told {
			c.checkLater()
		}
		c.mu.Unlock()
	})
}

// tell reports n requests. The caller holds the lock.
func (c *Conn) tell(n int) {
	if n <= 0 {
		return
	}
	c.told += n
	why := c.why
	if why == "" {
		why = "the request is malformed HTTP/2"
	}
	if c.opts.Unanswered == nil {
		return
	}
	go func() { // one for all: each may wait for the log
		for range n {
			c.opts.Unanswered(why)
		}
	}()
}

// Close closes the connection and reports what the handler never saw.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return err
	}
	c.closed = true
	n := c.opened - c.handled - c.told
	if c.failed && n <= 0 && c.told == 0 {
		n = 1
	}
	c.tell(n)
	return err
}
