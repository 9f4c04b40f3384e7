package sink

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// HTTP is how a receiver is reached.
type HTTP struct {
	URL    string
	Header http.Header // added to every request
	// TokenFile holds a bearer token; it is read for each request, so that it can
	// be rotated. "" sends none.
	TokenFile string
	// MaxBytes bounds a request's compressed body; one record alone may be larger.
	// 0 is 1 MiB.
	MaxBytes int
	Client   *http.Client // nil: one with a time-out of 30 s and no redirects
}

const defaultMaxBytes = 1 << 20

func newClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout: 30 * time.Second, Transport: t,
		// A redirect would take the token and the log elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// errTooLarge says that a body must be split.
var errTooLarge = errors.New("the request is too large")

// encode makes the body, before compression, of some records.
type encode func(records []Record) ([]byte, error)

// send posts records, in halves where they are too large or one of them is
// refused, and returns how many, from the first on, were taken.
func (h *HTTP) send(ctx context.Context, records []Record, contentType string, body encode, answer func([]byte) error) (int, error) {
	err := h.post(ctx, records, contentType, body, answer)
	var rejected *RejectedError
	var part *PartialError
	switch {
	case err == nil, errors.As(err, &part):
		return len(records), err
	case len(records) == 1 && errors.Is(err, errTooLarge):
		return 0, &RejectedError{err}
	case len(records) == 1, !errors.As(err, &rejected) && !errors.Is(err, errTooLarge):
		return 0, err
	}
	half := len(records) / 2
	n, err := h.send(ctx, records[:half], contentType, body, answer)
	if err != nil {
		return n, err
	}
	m, err := h.send(ctx, records[half:], contentType, body, answer)
	return n + m, err
}

func (h *HTTP) post(ctx context.Context, records []Record, contentType string, body encode, answer func([]byte) error) error {
	plain, err := body(records)
	if err != nil {
		return &RejectedError{err}
	}
	packed, err := pack(plain)
	if err != nil {
		return err
	}
	if most := h.maxBytes(); len(packed) > most && len(records) > 1 {
		return errTooLarge
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(packed))
	if err != nil {
		return err
	}
	for name, values := range h.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", "openshell-audit")
	if err := h.authorize(req); err != nil {
		return err
	}
	client := h.Client
	if client == nil {
		client = newClient(nil)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	return judge(resp, said, answer)
}

func (h *HTTP) maxBytes() int {
	if h.MaxBytes > 0 {
		return h.MaxBytes
	}
	return defaultMaxBytes
}

func (h *HTTP) authorize(req *http.Request) error {
	if h.TokenFile == "" {
		return nil
	}
	token, err := os.ReadFile(h.TokenFile)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}

func pack(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// judge tells what an answer means for the records: taken, refused for good
// (400, 422), too large (413), or to be sent again.
func judge(resp *http.Response, said []byte, answer func([]byte) error) error {
	err := fmt.Errorf("the receiver answers %s", resp.Status)
	if text := strings.TrimSpace(string(said)); text != "" && resp.StatusCode >= 300 {
		err = fmt.Errorf("%w: %.200q", err, text)
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return &RejectedError{err}
	case http.StatusRequestEntityTooLarge:
		return errTooLarge
	}
	if resp.StatusCode/100 == 2 {
		if answer == nil {
			return nil
		}
		return answer(said)
	}
	if after, ok := retryAfter(resp.Header.Get("Retry-After")); ok {
		return &LaterError{err, after}
	}
	return err
}

// retryAfter reads the header of RFC 9110, section 10.2.3.
func retryAfter(s string) (time.Duration, bool) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second, true
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, time.Until(t)), true
	}
	return 0, false
}
