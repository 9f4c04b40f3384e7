// Package head reads HTTP/1 request heads strictly. net/http repairs a good deal
// before a handler sees a request: it joins folded lines, merges lengths, accepts
// bare line feeds. Two programs that repair differently can be made to disagree
// about where a request ends, so this package refuses instead. A Conn sits under
// an http.Server and hands it only heads that passed.
package head

import (
	"fmt"
	"net/http"
)

// Fault is why a head was refused, with what could be read of the request.
type Fault struct {
	Status int    // HTTP status to answer with; 0 means close without an answer
	Detail string // what is wrong, for the answer and the record

	Method, Target, Host string // best effort, raw
}

// Error makes a Fault usable as an error.
func (f *Fault) Error() string { return f.Detail }

func malformed(format string, args ...any) *Fault {
	return &Fault{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// The limits of a head.
const (
	MaxHeaders = 200      // header lines
	MaxPath    = 4 << 10  // bytes of the target before "?"
	MaxTarget  = 32 << 10 // bytes of the whole target
)
