package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/openshell-policy/openshell/schemas/canon"
)

// FuzzAuthority holds that a name has one canonical form, which means the same to
// net/url, and that nothing that ends a name is in it.
func FuzzAuthority(f *testing.F) {
	for _, s := range []string{"api.test", "API.test.", "b\u00fccher.test:8443", "[::1]:80", "127.1:80", "0x7f.1:1", "[fe80::1%25lo]:1", "a.test:80:90", "u@a.test:1", "a_b.test:1", "xn--bcher-kva.test:1", "[::ffff:1.2.3.4]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, port, err := canon.Authority(s, "https")
		if err != nil {
			return
		}
		if port < 1 || port > 65535 || strings.ContainsAny(host, "/?#@%\\ []\x00\r\n") || host != strings.ToLower(host) || strings.HasSuffix(host, ".") {
			t.Fatalf("%q: %q, %d", s, host, port)
		}
		authority := host
		if strings.Contains(host, ":") {
			authority = "[" + host + "]"
		}
		again, port2, err := canon.Authority(fmt.Sprintf("%s:%d", authority, port), "https")
		if err != nil || again != host || port2 != port {
			t.Fatalf("%q became %q, then %q: %v", s, host, again, err)
		}
		u, err := url.Parse("https://" + authority + "/")
		if err != nil || u.Hostname() != host || u.User != nil || u.Path != "/" {
			t.Fatalf("%q: net/url reads %v, %v", host, u, err)
		}
	})
}

// FuzzPath holds that the path that is sent is a fixed point: what was decided of
// it is decided of it again, and net/url reads it as it is.
func FuzzPath(f *testing.F) {
	for _, s := range []string{"/", "/a/../b", "/%61%2f", "/a%2Fb", "/x;y/..", "//a", "/é", "/%C3%A9", "/a%00", "/a\\b", "/%zz", "/.%2e/", "/.;", "/..%3B", "/a?b=c;d", "/%25%32%65"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, query, _ := strings.Cut(target, "?")
		req := canon.Request{Method: "GET", Scheme: "https", Host: "api.test", Port: 443, RawPath: path, RawQuery: query}
		c, err := canon.Network(req)
		if err != nil {
			return
		}
		req.RawPath, req.RawQuery = c.ForwardPath, c.ForwardQuery
		again, err := canon.Network(req)
		if err != nil || again.ForwardPath != c.ForwardPath || again.ForwardQuery != c.ForwardQuery || again.Readings[0].Path != c.Readings[0].Path {
			t.Fatalf("%q is sent as %q, which is read as %+v: %v", target, c.ForwardPath, again, err)
		}
		if strings.ContainsAny(c.ForwardPath, "\\\x00\r\n #?") || !strings.HasPrefix(c.ForwardPath, "/") {
			t.Fatalf("%q is sent as %q", target, c.ForwardPath)
		}
		for _, segment := range strings.Split(c.ForwardPath, "/") {
			if name, _, _ := strings.Cut(segment, ";"); name == ".." || name == "." {
				t.Fatalf("%q is sent as %q, with dots", target, c.ForwardPath)
			}
		}
	})
}

// FuzzHTTP2Authority sends any :authority, Host and :path to a running gateway:
// what reaches the origin is for the tunnel's host, and each request is recorded
// once.
func FuzzHTTP2Authority(f *testing.F) {
	f.Add("api.test", "", "/x")
	f.Add("evil.test", "api.test", "/x")
	f.Add("api.test:443@evil.test", "", "//evil.test/x")
	f.Add("", "evil.test", "/x")
	f.Add("API.TEST.", "", "https://evil.test/")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, authority, host, path string) {
		w.tb = t
		records, requests := len(w.records.decisions()), w.origin.requests.Load()
		fr, c := w.frames(w.api(), "api.test")
		defer c.Close()
		fields := w.goodHead(":authority", strings.ReplaceAll(authority, "api.test", w.api()), ":path", path)
		if host != "" {
			fields = append(fields, "host", host)
		}
		b := block(fields...)
		if len(b) > 16<<10 {
			return
		}
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b, EndStream: true, EndHeaders: true})
		answered(fr, 1)
		c.Close()
		for end := time.Now().Add(5 * time.Second); len(w.records.decisions()) == records && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		got := w.records.decisions()[records:]
		if len(got) != 1 {
			t.Fatalf("%d records", len(got))
		}
		if sent := w.origin.requests.Load() - requests; sent > 0 {
			if r := w.origin.last(t); !got[0].Result.Allow || r.Host != w.api() {
				t.Fatalf("%v: the origin saw %s %s", got[0].Result, r.Host, r.RequestURI)
			}
		}
	})
}

// FuzzRequest sends any bytes into a tunnel: none brings the gateway down, and the
// origin sees only what net/http, too, reads in them.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET /x HTTP/1.1\r\nHost: api.test\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: api.test\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.1\r\nHost: api.test\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nHost: api.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	w := newWorld(f)
	most := int64(0) // of all inputs so far: what was sent may arrive late
	f.Fuzz(func(t *testing.T, raw []byte) {
		w.tb = t
		raw = bytes.ReplaceAll(raw, []byte("api.test"), []byte(w.api()))
		tc := w.tunnel(w.api(), "api.test")
		_ = tc.SetDeadline(time.Now().Add(time.Second))
		_, _ = tc.Write(raw)
		_ = tc.CloseWrite()
		_, _ = io.Copy(io.Discard, tc)
		tc.Close()
		for br := bufio.NewReader(bytes.NewReader(raw)); ; most++ {
			r, err := http.ReadRequest(br)
			if err != nil {
				break
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				most++ // its head was forwarded
				break
			}
		}
		if n := w.origin.requests.Load(); n > most {
			t.Fatalf("the origin saw %d requests in what net/http reads %d in, this input's included", n, most)
		}
		if r := w.g.Ready(); !r.Ready {
			t.Fatalf("not ready: %+v", r)
		}
	})
}
