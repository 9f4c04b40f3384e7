package gateway_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A client that reads the answer before it has sent its body must not see its
// stream reset: curl 7.88 throws such an answer away.
func TestHTTP2DenialBeforeTheBody(t *testing.T) {
	w := newWorld(t)
	framer, c := rawHTTP2(t, w)
	sendHead(t, framer, w.api(), "/none", 4)
	frames := readFrames(t, framer, func(f http2.Frame) bool { return f.Header().Type == http2.FrameData })
	if err := framer.WriteData(1, true, []byte("body")); err != nil {
		t.Fatal(err)
	}
	frames = append(frames, readFrames(t, framer, func(f http2.Frame) bool {
		return f.Header().Type == http2.FrameData && f.Header().Flags.Has(http2.FlagDataEndStream)
	})...)
	_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			break // nothing more comes
		}
		frames = append(frames, f)
	}
	status := ""
	for _, f := range frames {
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			t.Errorf("the stream was reset: %v", f.ErrCode)
		case *http2.MetaHeadersFrame:
			status = f.PseudoValue("status")
		}
	}
	if status != "403" {
		t.Errorf("status %q, want 403", status)
	}
}

// rawHTTP2 opens a tunnel and begins HTTP/2 in it.
func rawHTTP2(t *testing.T, w *world) (*http2.Framer, *tls.Conn) {
	t.Helper()
	conn := w.dial()
	w.connect(conn, w.api())
	c := tls.Client(conn, &tls.Config{ServerName: "api.test", RootCAs: w.roots, NextProtos: []string{"h2"}})
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return framer, c
}

func sendHead(t *testing.T, framer *http2.Framer, authority, path string, length int) {
	t.Helper()
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, f := range [][2]string{
		{":method", "POST"},
		{":scheme", "https"},
		{":authority", authority},
		{":path", path},
		{"content-length", strconv.Itoa(length)},
	} {
		_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // to memory
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
}

// readFrames reads up to the first frame that is the last.
func readFrames(t *testing.T, framer *http2.Framer, last func(http2.Frame) bool) []http2.Frame {
	t.Helper()
	var frames []http2.Frame
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("after %d frames: %v", len(frames), err)
		}
		frames = append(frames, f)
		if last(f) {
			return frames
		}
	}
}
