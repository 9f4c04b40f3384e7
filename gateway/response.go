package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// responseWriter is what goproxy writes a response to. It counts, keeps what was
// hijacked so that it can be closed, and flushes each piece of a body whose
// length is not known, so that streams arrive as they are sent.
type responseWriter struct {
	http.ResponseWriter
	ex       *exchange
	bytes    int64
	stream   bool
	length   int64
	hijacked net.Conn
	failed   error // why the client did not get all of it
}

// WriteHeader sends the head; a body without a length is a stream.
func (w *responseWriter) WriteHeader(status int) {
	length := w.Header().Get("Content-Length")
	w.stream = length == ""
	w.length, _ = strconv.ParseInt(length, 10, 64)
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a piece of the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	if err == nil && w.stream {
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	w.note(err)
	return n, err
}

// ReadFrom sends a whole body. One of known length goes through the server's own
// buffers.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	if w.stream || w.length >= patientBelow {
		control := http.NewResponseController(w.ResponseWriter)
		r = &impatient{Reader: r, control: control, timeout: w.ex.g.cfg.Limits.BodyTimeout}
		defer func() { _ = control.SetWriteDeadline(time.Time{}) }()
	}
	if rf, ok := w.ResponseWriter.(io.ReaderFrom); ok && !w.stream {
		n, err := rf.ReadFrom(r)
		w.bytes += n
		w.note(err)
		return n, err
	}
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf[:])
}

// note remembers the first error of the client's side; one of the upstream's is
// known to the body that was read.
func (w *responseWriter) note(err error) {
	if err != nil && w.failed == nil && (w.ex.upstream.body == nil || w.ex.upstream.body.err == nil) {
		w.failed = err
	}
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Flush sends what is buffered.
func (w *responseWriter) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Hijack takes the connection over, for a WebSocket.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.hijacked = c
	return c, rw, err
}

// Unwrap is for http.ResponseController.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
