package gateway

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// unreadBytes bounds what is read of a body that nobody wants. It is what
// net/http reads by itself for HTTP/1.1.
const unreadBytes = 256 << 10

// readingRest reads, once a request is answered, what its client still sends of
// a short body. net/http resets an HTTP/2 stream whose request has not ended, and
// curl 7.88, among others, then throws the answer away, the reason of a denial
// with it. A body of unknown length is left alone: who streams waits for
// trailers.
func readingRest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		short := r.ContentLength > 0 && r.ContentLength <= unreadBytes
		if r.ProtoMajor != 2 || !short || r.Header.Get("Expect") != "" {
			next.ServeHTTP(w, r)
			return
		}
		body := &restBody{body: r.Body}
		r.Body = body
		next.ServeHTTP(w, r)
		body.readRest(http.NewResponseController(w))
	})
}

// restBody keeps a body open that the transport has closed, so that its rest can
// be read.
type restBody struct {
	mu     sync.Mutex // the transport may still read when the answer is there
	body   io.Reader
	ended  atomic.Bool
	closed atomic.Bool
}

// Read reads until Close.
func (b *restBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.read(p)
}

func (b *restBody) read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		b.ended.Store(true)
	}
	return n, err
}

// Close ends reading for the transport. The server closes the body itself.
func (b *restBody) Close() error {
	b.closed.Store(true)
	return nil
}

func (b *restBody) readRest(c *http.ResponseController) {
	if b.ended.Load() || c.Flush() != nil || c.SetReadDeadline(time.Now().Add(unreadFor)) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	_, _ = io.Copy(io.Discard, readerFunc(b.read)) // the content length bounds it
}

// readerFunc makes a function a reader.
type readerFunc func(p []byte) (int, error)

// Read calls the function.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
