package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Group F: framing, limits, slow clients. Package head's tests hold the grammar.

func TestMalformedHead(t *testing.T) {
	for name, tt := range map[string]struct {
		head   string
		status int
	}{
		"F01_CLWithTE":         {"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400},
		"F02_TwoEqualCL":       {"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 3\r\n", 400},
		"F03_TwoDifferentCL":   {"POST /x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 3\r\nContent-Length: 4\r\n", 400},
		"F05_OddTE":            {"POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n", 501},
		"F06_SpaceBeforeColon": {"POST /x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n", 400},
		"F07_BareLF":           {"GET /x HTTP/1.1\nHost: HOST\n", 400},
		"F08_ObsFold":          {"GET /x HTTP/1.1\r\nHost: HOST\r\nX-A: one\r\n two\r\n", 400},
		"F09_LeadingSpace":     {"GET /x HTTP/1.1\r\n Host: HOST\r\n", 400},
		"F11_HTTP09":           {"GET /x\r\n", 400},
		"F11_HTTP20":           {"GET /x HTTP/2.0\r\nHost: HOST\r\n", 505},
		"F19_HeadOf200MiB":     {"GET /x HTTP/1.1\r\nHost: HOST\r\nX: " + strings.Repeat("a", 80<<10) + "\r\n", 431},
		"F20_EndlessFirstLine": {strings.Repeat("A", 80<<10) + "\r\n", 414},
		"F21_TooManyHeaders":   {"GET /x HTTP/1.1\r\nHost: HOST\r\n" + strings.Repeat("a: b\r\n", 300), 431},
	} {
		t.Run(name+"/tunnel", func(t *testing.T) {
			w := newWorld(t)
			tc := w.tunnel(w.api(), "api.test")
			go io.WriteString(tc, strings.ReplaceAll(tt.head, "HOST", w.api())+"\r\n")
			resp, body := readResponse(t, bufio.NewReader(tc), "GET")
			w.denied(resp, body, tt.status, schemas.CodeBadRequest)
		})
		t.Run(name+"/plain", func(t *testing.T) {
			w := newWorld(t)
			c := w.dial()
			authority := fmt.Sprint("api.test:", w.plain.port)
			raw := strings.Replace(strings.ReplaceAll(tt.head, "HOST", authority), " /x", " http://"+authority+"/x", 1)
			go io.WriteString(c, raw+"\r\n")
			resp, body := readResponse(t, bufio.NewReader(c), "GET")
			w.denied(resp, body, tt.status, schemas.CodeBadRequest)
		})
	}
}

func TestF12_BadChunks(t *testing.T) {
	for name, chunks := range map[string]string{"extension": "3;ext=\"a\r\nb\"\r\nabc\r\n0\r\n\r\n", "hex": "0x3\r\nabc\r\n0\r\n\r\n", "long": "00000000000000003\r\nabc\r\n0\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			resp, body := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
			if resp.StatusCode != 400 || !resp.Close {
				t.Errorf("%s, close %v: %s", resp.Status, resp.Close, body)
			}
			if n := len(w.records.decisions()); n != 1 {
				t.Errorf("%d records", n)
			}
		})
	}
}

func TestF15_ExpectContinue(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	begun := time.Now()
	io.WriteString(tc, "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	br := bufio.NewReader(tc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 100 || time.Since(begun) > 2*time.Second {
		t.Fatal(resp, err, time.Since(begun))
	}
	io.WriteString(tc, "hello")
	if resp, body := readResponse(t, br, "POST"); resp.StatusCode != 200 || body != "POST /x 5" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestF16_ExpectContinueOnADenial(t *testing.T) {
	w := newWorld(t)
	resp, body := w.inTunnel("POST", "POST /none HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodePathNotAllowed)
	if !resp.Close {
		t.Error("the connection may be used again, with the body in the way")
	}
}

func TestF17_DenialOfAHugeUpload(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	io.WriteString(tc, "POST /none HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 1073741824\r\n\r\n")
	var sent int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := tc.Write(buf)
			if sent += int64(n); err != nil {
				return
			}
		}
	}()
	resp, body := readResponse(t, bufio.NewReader(tc), "POST")
	w.denied(resp, body, 403, schemas.CodePathNotAllowed)
	<-done
	if sent > 64<<20 {
		t.Errorf("%d MiB were taken", sent>>20)
	}
}

func TestDenialOfASilentUpload(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	begun := time.Now()
	resp, body := exchange(t, tc, "POST", "POST /none HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 1000\r\n\r\n")
	w.denied(resp, body, 403, schemas.CodePathNotAllowed)
	io.Copy(io.Discard, tc)
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("the silent client held the connection for %v", d)
	}
}

func TestF18_HopByHopHeaders(t *testing.T) {
	w := newWorld(t)
	w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nConnection: X-Secret, close\r\nX-Secret: 1\r\nTE: trailers, deflate\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic abc\r\nProxy-Connection: keep-alive\r\nX-Kept: 1\r\n\r\n")
	h := w.origin.last(t).Header
	for _, name := range []string{"X-Secret", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection"} {
		if v := h.Get(name); v != "" {
			t.Errorf("the origin saw %s: %s", name, v)
		}
	}
	if h.Get("X-Kept") != "1" || h.Get("Te") != "trailers" || h.Get("User-Agent") != "" {
		t.Errorf("the origin saw %v", h)
	}
}

func TestF22_SlowHead(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.HeaderTimeout = 100 * time.Millisecond })
	tc := w.tunnel(w.api(), "api.test")
	io.WriteString(tc, "GET /x HTTP/1.1\r\nHo")
	begun := time.Now()
	io.Copy(io.Discard, tc)
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("held for %v", d)
	}
	w.oneRecord(schemas.CodeBadRequest)
}

func TestF23_SlowBody(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.BodyTimeout = 100 * time.Millisecond })
	tc := w.tunnel(w.api(), "api.test")
	begun := time.Now()
	io.WriteString(tc, "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 100\r\n\r\nabc")
	io.Copy(io.Discard, tc)
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("held for %v", d)
	}
}

func TestF23_SlowReader(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.BodyTimeout = 200 * time.Millisecond })
	gone := make(chan struct{})
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		defer close(gone)
		for buf := make([]byte, 1<<20); ; {
			if _, err := rw.Write(buf); err != nil {
				return
			}
		}
	})
	tc := w.tunnel(w.api(), "api.test")
	io.WriteString(tc, w.get("/x")) // and reads nothing
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the upstream still sends")
	}
}

// TestF23_SlowUpstream holds that only the client is hurried.
func TestF23_SlowUpstream(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.BodyTimeout = 50 * time.Millisecond })
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for range 3 {
			time.Sleep(150 * time.Millisecond)
			io.WriteString(rw, "event\n")
			rw.(http.Flusher).Flush()
		}
	})
	resp, body := w.inTunnel("POST", "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nContent-Length: 3\r\n\r\nabc")
	if resp.StatusCode != 200 || strings.Count(body, "event") != 3 {
		t.Errorf("%s %q", resp.Status, body)
	}
}

func TestF24_ConnectionsPerSandbox(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) { c.Limits.ConnectionsPerSandbox = 2 })
	first := w.tunnel(w.api(), "api.test")
	w.tunnel(w.api(), "api.test")
	resp, _ := w.connect(w.dial(), w.api())
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s", resp.Status)
	}
	w.oneRecord(schemas.CodeLimitExceeded)
	first.Close()
	w.wait(func() bool {
		c := w.dial()
		resp, _ := w.connect(c, w.api())
		c.Close()
		return resp.StatusCode == 200
	})
}

func TestF26_UpstreamHeaderBomb(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X", strings.Repeat("a", 1<<20))
	})
	if resp, _ := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 502 {
		t.Error(resp.Status)
	}
}

func TestF30_TruncatedUpstream(t *testing.T) {
	for name, head := range map[string]string{"length": "Content-Length: 100\r\n\r\nhalf", "chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
				c, _, _ := rw.(http.Hijacker).Hijack()
				io.WriteString(c, "HTTP/1.1 200 OK\r\n"+head)
				c.Close()
			})
			tc := w.tunnel(w.api(), "api.test")
			io.WriteString(tc, w.get("/x"))
			resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
			if err != nil {
				return // aborted before the head was flushed: not a clean end either
			}
			if _, err := io.ReadAll(resp.Body); err == nil {
				t.Error("a response that was cut off looks whole")
			}
			w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
			if o := w.records.of(schemas.RecordOutcome)[0].Custom.Outcome; o.Error == "" {
				t.Error("the outcome does not tell")
			}
		})
	}
}

func TestF33_Streams(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/x-ndjson"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			next := make(chan struct{})
			w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", kind)
				for i := range 3 {
					fmt.Fprintf(rw, "data: %d\n\n", i)
					rw.(http.Flusher).Flush()
					<-next
				}
			})
			tc := w.tunnel(w.api(), "api.test")
			io.WriteString(tc, w.get("/x"))
			resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				expectBytes(t, resp.Body, fmt.Sprintf("data: %d\n\n", i)) // blocks unless flushed
				next <- struct{}{}
			}
		})
	}
}

func TestTrailers(t *testing.T) {
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "Grpc-Status")
		io.WriteString(rw, "body")
		rw.Header().Set("Grpc-Status", "0")
	})
	tc := w.tunnel(w.api(), "api.test")
	io.WriteString(tc, w.get("/x"))
	resp, err := http.ReadResponse(bufio.NewReader(tc), nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if resp.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("trailer %v", resp.Trailer)
	}
}

func TestClientGoneCancelsTheUpstream(t *testing.T) {
	w := newWorld(t)
	gone := make(chan struct{})
	w.origin.handle(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	tc := w.tunnel(w.api(), "api.test")
	io.WriteString(tc, w.get("/x"))
	w.wait(func() bool { return w.origin.requests.Load() == 1 })
	tc.NetConn().Close()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Error("the upstream works on for nobody")
	}
}
