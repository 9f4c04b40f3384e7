package gateway

import (
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// A sandbox that sends or takes a body one byte a minute would hold its
// connection, and the upstream's, for ever. So every piece of a body has a
// deadline of its own; how long the whole takes does not matter, and neither does
// how long an upstream is silent.

// patientBelow is the length of a response body that fits into the buffers on
// the way, so that nothing can wait for the client.
const patientBelow = 32 << 10

// slowBody is a request body whose pieces must come in time.
type slowBody struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
	ended   func() // called at the end, before the trailer is sent on
	failed  atomic.Bool
}

// Read waits for one piece. After the last one the deadline is taken back: from
// there on the server reads only to see the client go. After an error it stays,
// or the server would wait for the rest.
func (b *slowBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout))
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended()
		_ = b.control.SetReadDeadline(time.Time{})
	} else if err != nil {
		b.failed.Store(true)
	}
	return n, err
}

// impatient sets a deadline for the client to take each piece that comes from
// upstream.
type impatient struct {
	io.Reader
	control *http.ResponseController
	timeout time.Duration
}

// Read gets one piece, which the client must then take in time.
func (r *impatient) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	_ = r.control.SetWriteDeadline(time.Now().Add(r.timeout))
	return n, err
}
