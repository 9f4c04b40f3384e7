package gateway_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// HTTP/2 as bytes, which no client library would send.

// frames opens a tunnel and greets in HTTP/2.
func (w *world) frames(authority, sni string) (*http2.Framer, net.Conn) {
	w.tb.Helper()
	c := w.dial()
	w.connect(c, authority)
	tc := tls.Client(c, &tls.Config{ServerName: sni, RootCAs: w.roots, NextProtos: []string{"h2"}})
	_, _ = io.WriteString(tc, http2.ClientPreface)
	fr := http2.NewFramer(tc, tc)
	_ = fr.WriteSettings()
	return fr, tc
}

// block encodes fields given as name, value, name, value.
func block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// goodHead is a request's head that is allowed, with some fields replaced ("-"
// leaves one out) or added.
func (w *world) goodHead(replace ...string) []string {
	fields := []string{":method", "GET", ":scheme", "https", ":path", "/x", ":authority", w.api()}
	for i := 0; i+1 < len(replace); i += 2 {
		found := false
		for j := 0; j+1 < len(fields); j += 2 {
			if fields[j] == replace[i] && strings.HasPrefix(replace[i], ":") {
				fields[j+1], found = replace[i+1], true
			}
		}
		if !found {
			fields = append(fields, replace[i], replace[i+1])
		}
	}
	var out []string
	for j := 0; j+1 < len(fields); j += 2 {
		if fields[j+1] != "-" {
			out = append(out, fields[j], fields[j+1])
		}
	}
	return out
}

// Whatever is wrong with a request of HTTP/2, whoever notices it: nothing goes
// upstream, and there is exactly one record.
func TestMalformedHTTP2(t *testing.T) {
	long := strings.Repeat("a", 70<<10)
	for name, fields := range map[string][]string{
		"no method": {":method", "-"}, "no path": {":path", "-"}, "no scheme": {":scheme", "-"}, "no authority": {":authority", "-"},
		"other scheme": {":scheme", "ftp"}, "empty path": {":path", ""}, "no slash": {":path", "x"}, "asterisk": {":path", "*"}, "CONNECT": {":method", "CONNECT", ":path", "-", ":scheme", "-"},
		"extended CONNECT": {":method", "CONNECT", ":protocol", "websocket"}, "unknown pseudo": {":other", "1"}, "pseudo after field": {"x", "1", ":late", "1"},
		"upper-case name": {"X-Upper", "1"}, "connection": {"connection", "close"}, "keep-alive": {"keep-alive", "5"}, "transfer-encoding": {"transfer-encoding", "chunked"},
		"upgrade": {"upgrade", "websocket"}, "te": {"te", "gzip"}, "two hosts": {"host", "evil.test"}, "control": {"x", "a\x00b"}, "line feed": {"x", "a\r\nb: c"},
		"space in name": {"x y", "1"}, "long header": {"x", long}, "userinfo": {":authority", "u@evil.test"}, "path in authority": {":authority", "api.test/x"},
		"fragment": {":path", "/x#f"}, "backslash": {":path", `/a\..\b`}, "dots": {":path", "/a/%2e%2e/b"}, "NUL": {":path", "/a%00b"}, "space": {":path", "/a b"},
		"absolute": {":path", "https://evil.test/x"}, "two slashes": {":path", "//evil.test/x"}, "A08_Authority": {":authority", "evil.test"}, "A29_Port": {":authority", "api.test"},
		"E01_LowerCase": {":method", "get"}, "E04_Trace": {":method", "TRACE"}, "content-length": {"content-length", "-1"}, "two lengths": {"content-length", "1", "content-length", "2"},
		"underscore": {"x_http_method_override", "DELETE"}, "original url": {"x-original-url", "/admin"}, "D05_Slash": {":path", "/repos/a%2fb"}, "query": {":path", "/x?a;b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fr, c := w.frames(w.api(), "api.test")
			b := block(w.goodHead(fields...)...)
			for first := true; len(b) > 0 || first; first = false {
				n := min(len(b), 16<<10)
				if first {
					_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:n], EndStream: true, EndHeaders: n == len(b)})
				} else {
					_ = fr.WriteContinuation(1, n == len(b), b[:n])
				}
				b = b[n:]
			}
			answered(fr, 1)
			c.Close()
			w.wait(func() bool { return len(w.records.decisions()) > 0 })
			time.Sleep(30 * time.Millisecond)
			all := w.records.decisions()
			if len(all) != 1 || all[0].Result.Allow {
				t.Errorf("%d records: %v", len(all), codes(all))
			}
			w.untouched()
		})
	}
}

// answered reads until a stream, or the connection, is answered.
func answered(fr *http2.Framer, stream uint32) {
	for {
		f, err := fr.ReadFrame()
		if err != nil {
			return
		}
		switch f := f.(type) {
		case *http2.GoAwayFrame:
			return
		case *http2.RSTStreamFrame, *http2.HeadersFrame:
			if f.Header().StreamID == stream {
				return
			}
		}
	}
}

// What is wrong with the frames themselves.
func TestMalformedFrames(t *testing.T) {
	for name, send := range map[string]func(w *world, fr *http2.Framer, c net.Conn){
		"even stream": func(w *world, fr *http2.Framer, _ net.Conn) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2, BlockFragment: block(w.goodHead()...), EndStream: true, EndHeaders: true})
		},
		"broken compression": func(_ *world, fr *http2.Framer, _ net.Conn) {
			_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, EndStream: true, EndHeaders: true})
		},
		"data first":         func(_ *world, fr *http2.Framer, _ net.Conn) { _ = fr.WriteData(1, true, []byte("x")) },
		"continuation first": func(_ *world, fr *http2.Framer, _ net.Conn) { _ = fr.WriteContinuation(1, true, []byte{0x82}) },
		"frame that is too big": func(_ *world, _ *http2.Framer, c net.Conn) {
			_, _ = c.Write([]byte("\xff\xff\xff\x00\x00\x00\x00\x00\x01"))
		},
		"HTTP/1": func(_ *world, _ *http2.Framer, c net.Conn) {
			_, _ = io.WriteString(c, "GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n")
		},
		"bomb": func(_ *world, fr *http2.Framer, _ net.Conn) {
			var b bytes.Buffer // one field in the table, named again 60,000 times
			e := hpack.NewEncoder(&b)
			_ = e.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("a", 3000)})
			bomb := append(b.Bytes(), bytes.Repeat([]byte{0xbe}, 60000)...)
			for i := 0; i < len(bomb); i += 16 << 10 {
				end := min(i+16<<10, len(bomb))
				if i == 0 {
					_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: bomb[:end], EndStream: true, EndHeaders: end == len(bomb)})
				} else {
					_ = fr.WriteContinuation(1, end == len(bomb), bomb[i:end])
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fr, c := w.frames(w.api(), "api.test")
			send(w, fr, c)
			for {
				f, err := fr.ReadFrame()
				if err != nil {
					break
				}
				if f.Header().Type == http2.FrameGoAway || f.Header().StreamID == 1 && f.Header().Type != http2.FrameWindowUpdate {
					break
				}
			}
			c.Close()
			if r := w.oneRecord(schemas.CodeBadRequest); r.Input.Network.Host != "api.test" || r.Custom.Sandbox != w.box.ID {
				t.Errorf("recorded %+v", r.Input.Network)
			}
			w.untouched()
		})
	}
}

func TestNotHTTP2AfterItWasAgreed(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	w.connect(c, w.api())
	tc := tls.Client(c, &tls.Config{ServerName: "api.test", RootCAs: w.roots, NextProtos: []string{"h2"}})
	_, _ = io.WriteString(tc, w.get("/x")) // HTTP/1, past the head scanner
	if got, _ := io.ReadAll(tc); len(got) > 0 && !bytes.Contains(got[:min(len(got), 20)], []byte{0, 0}) {
		t.Errorf("answered %q", got)
	}
	w.oneRecord(schemas.CodeBadRequest)
	w.untouched()
}

func TestSlowHeaderBlockOfHTTP2(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.HeaderTimeout = 100 * time.Millisecond }))
	fr, c := w.frames(w.api(), "api.test")
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(w.goodHead()...)[:4], EndHeaders: false})
	begun := time.Now()
	_, _ = io.Copy(io.Discard, c)
	if d := time.Since(begun); d > 5*time.Second {
		t.Errorf("held for %v", d)
	}
	w.oneRecord(schemas.CodeBadRequest)
}

// TestHTTP2InClear is what gRPC without TLS does: CONNECT, then HTTP/2 at once.
func TestHTTP2InClear(t *testing.T) {
	w := newWorld(t)
	w.load(w.policies.change("plain", func(r *testRule) { r.more = "methods: [GET, POST]" }))
	w.plain.handle(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		rw.Header().Set("Trailer", "Grpc-Status")
		fmt.Fprint(rw, r.Proto)
		rw.Header().Set("Grpc-Status", "0")
	})
	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) {
		c := w.dial()
		w.connect(c, fmt.Sprint("api.test:", w.plain.port))
		return c, nil
	}}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequest("POST", fmt.Sprintf("http://api.test:%d/x", w.plain.port), strings.NewReader("hello"))
	resp, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || string(body) != "HTTP/2.0" || resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%s %q %v", resp.Status, body, resp.Trailer)
	}
	w.oneRecord(schemas.CodeAllowed)
}
