package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/openshell-policy/openshell/rego/archive"
	"github.com/openshell-policy/openshell/sandboxctl/fault"
)

// Bundle is what the gateway has for the sandbox.
type Bundle struct {
	Data   []byte // the bundle, with one policy
	ID     string // of the sandbox, as sb-a1b2c3
	Agent  string
	Policy string // to ask the bundle about
	etag   string
}

// hold is how long the gateway may hold a request until something changes.
const hold = 60 * time.Second

// fetch asks once; nil where nothing changed since the one that is given.
func (c *Client) fetch(ctx context.Context, last *Bundle) (*Bundle, error) {
	wait := answerTimeout
	if last != nil {
		wait += hold
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/sandbox/v1/bundle", nil)
	if err != nil {
		return nil, err
	}
	if last != nil {
		req.Header.Set("If-None-Match", last.etag)
		req.Header.Set("Prefer", fmt.Sprintf("modes=snapshot;wait=%d", int(hold/time.Second)))
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNotModified:
		return nil, nil
	case http.StatusOK:
		return read(resp)
	}
	return nil, failure(resp)
}

func read(resp *http.Response) (*Bundle, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, archive.MaxPacked+1))
	h := resp.Header
	b := &Bundle{
		Data: data, etag: h.Get("ETag"),
		ID: h.Get("OpenShell-Sandbox"), Agent: h.Get("OpenShell-Agent"), Policy: h.Get("OpenShell-Policy"),
	}
	switch {
	case err != nil:
		return nil, fault.New(fault.CodeGateway, "the bundle did not come whole: %w", err)
	case len(data) > archive.MaxPacked:
		return nil, fault.New(fault.CodeGateway, "the bundle has more than %d bytes", archive.MaxPacked)
	case b.ID == "" || b.Policy == "":
		return nil, fault.New(fault.CodeGateway, "what answers is no gateway: it names no sandbox and no policy")
	}
	return b, nil
}

// First fetches the bundle, and tries again for so long; told is told of what
// went wrong the first time. A token that the gateway does not know is tried
// again too: in a cluster the gateway may learn of the sandbox a little later.
func (c *Client) First(ctx context.Context, patience time.Duration, told func(error)) (*Bundle, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for wait := time.Duration(0); ; {
		b, err := c.fetch(ctx, nil)
		switch {
		case err == nil:
			return b, nil
		case last == nil:
			told(err)
			last = err
		case ctx.Err() == nil:
			last = err
		}
		wait = pause(err, wait)
		if !sleep(ctx, wait) {
			return nil, given(last, patience)
		}
	}
}

// given is the error of giving up.
func given(last error, patience time.Duration) error {
	var f *fault.Error
	if errors.As(last, &f) {
		return &fault.Error{Code: f.Code, Err: fmt.Errorf("%w (tried for %s)", f.Err, patience)}
	}
	return fault.New(fault.CodeGateway, "%w (tried for %s)", last, patience)
}

// Follow waits for further bundles until the context ends. What take refuses is
// not asked for again. told is told of the first failure of a series, and of its
// end with nil.
func (c *Client) Follow(ctx context.Context, last *Bundle, take func(*Bundle), told func(error)) {
	wait, away := time.Duration(0), false
	for ctx.Err() == nil {
		asked := time.Now()
		b, err := c.fetch(ctx, last)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if !away {
				told(err)
			}
			away, wait = true, pause(err, wait)
		default:
			if away {
				told(nil)
			}
			away, wait = false, 0
			if b != nil {
				take(b)
				last = b
			}
			if time.Since(asked) < time.Second {
				wait = time.Second / 2 // a server that does not hold
			}
		}
		sleep(ctx, wait)
	}
}

// sleep tells whether it slept the time out.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
