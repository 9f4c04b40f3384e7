package gateway_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Floods of what is cheap to send and dear to take. Each must end, or cost little,
// and leave the gateway to others.

// grown runs fn and returns by how much the live heap grew meanwhile, at most.
//
// What others in the process allocate at the time goes away; what fn keeps stays,
// however often it is looked at.
func grown(fn func()) int64 {
	before := live()
	fn()
	least := live() - before
	for range 20 {
		if least <= 8<<20 {
			break
		}
		time.Sleep(100 * time.Millisecond)
		least = min(least, live()-before)
	}
	return least
}

// live is the memory that is in use after a collection, in bytes.
func live() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// writeUntilClosed calls send until the connection no longer takes it, at most n
// times, while what comes back is read. It returns how often it was called.
func writeUntilClosed(c net.Conn, n int, send func(i int) error) int {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, c)
	}()
	sent := 0
	for sent < n && send(sent) == nil {
		sent++
	}
	if sent < n {
		<-done
	}
	return sent
}

// stillServes sends a request on a connection of its own.
func (w *world) stillServes() {
	w.tb.Helper()
	if resp, body := w.inTunnel("GET", w.get("/x")); resp.StatusCode != 200 {
		w.tb.Errorf("afterwards: %s %s", resp.Status, body)
	}
}

// Streams that are opened and reset at once (CVE-2023-44487). Those that come
// faster than they can be served end the connection.
func TestRapidReset(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	w.origin.handle(func(http.ResponseWriter, *http.Request) { <-release })
	fr, c := w.frames(w.api(), "api.test")
	head := block(w.goodHead()...)
	before := runtime.NumGoroutine()
	most := 0
	sent := writeUntilClosed(c, 50_000, func(i int) error {
		if i%100 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
		id := uint32(2*i + 1)
		if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head, EndStream: true, EndHeaders: true}); err != nil {
			return err
		}
		return fr.WriteRSTStream(id, http2.ErrCodeCancel)
	})
	close(release)
	if most > 5000 {
		t.Errorf("%d goroutines for one connection", most)
	}
	if sent > 20_000 {
		t.Errorf("%d streams were taken", sent) // what lies in buffers is
	}
	t.Logf("%d streams, %d goroutines", sent, most)
	c.Close()
	// Connections to the origin whose request went away stay in the pool for a
	// while: three goroutines each, the origin's own included.
	w.wait(func() bool { return runtime.NumGoroutine() < before+100+3*500 })
	w.origin.handle(nil)
	w.stillServes()
}

// A header block without an end (CVE-2024-27316 and its kin) is cut off when it is
// larger than a head may be.
func TestContinuationFlood(t *testing.T) {
	w := newWorld(t)
	var sent int
	more := grown(func() {
		fr, c := w.frames(w.api(), "api.test")
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(w.goodHead()...)})
		junk := block("x-filler", strings.Repeat("a", 8000))
		sent = writeUntilClosed(c, 50_000, func(int) error { return fr.WriteContinuation(1, false, junk) })
		c.Close()
	})
	if sent > 5000 || more > 32<<20 {
		t.Errorf("%d frames of 8 KB were taken, the heap grew by %d KiB", sent, more>>10)
	}
	w.oneRecord(schemas.CodeBadRequest)
	w.untouched()
}

// Empty continuation frames cost nothing but time, which has a limit.
func TestEmptyContinuations(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.HeaderTimeout = 300 * time.Millisecond }))
	fr, c := w.frames(w.api(), "api.test")
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(w.goodHead()...)})
	if sent := writeUntilClosed(c, 100_000_000, func(int) error { return fr.WriteContinuation(1, false, nil) }); sent == 100_000_000 {
		t.Error("the connection was never closed")
	}
	w.oneRecord(schemas.CodeBadRequest)
	w.untouched()
}

// A field that is sent once and then named by its number in the table, again and
// again: a small block that unpacks to a large one.
func TestHPACKBomb(t *testing.T) {
	w := newWorld(t)
	var table strings.Builder
	e := hpack.NewEncoder(&table)
	fields := w.goodHead()
	for i := 0; i+1 < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	for range 20_000 {
		_ = e.WriteField(hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("b", 3000)})
	}
	if table.Len() > 64<<10 {
		t.Fatalf("the block has %d bytes: it is no bomb", table.Len())
	}
	more := grown(func() {
		fr, c := w.frames(w.api(), "api.test")
		rest := []byte(table.String())
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: rest[:16<<10], EndStream: true})
		for rest = rest[16<<10:]; len(rest) > 16<<10; rest = rest[16<<10:] {
			_ = fr.WriteContinuation(1, false, rest[:16<<10])
		}
		_ = fr.WriteContinuation(1, true, rest)
		w.wait(func() bool { return len(w.records.decisions()) > 0 })
		c.Close()
	})
	if more > 16<<20 {
		t.Errorf("the heap grew by %d MiB", more>>20)
	}
	w.oneRecord(schemas.CodeBadRequest)
	w.untouched()
}

// Frames that ask for an answer each, by who reads none.
func TestUnreadAnswers(t *testing.T) {
	for name, send := range map[string]func(*http2.Framer) error{
		"ping": func(fr *http2.Framer) error { return fr.WritePing(false, [8]byte{1}) },
		"settings": func(fr *http2.Framer) error {
			return fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			more := grown(func() {
				fr, c := w.frames(w.api(), "api.test")
				_ = c.SetDeadline(time.Now().Add(3 * time.Second)) // the gateway may stop reading: that is as good
				for i := 0; i < 5_000_000 && send(fr) == nil; i++ {
				}
				c.Close()
			})
			if more > 32<<20 {
				t.Errorf("the heap grew by %d MiB", more>>20)
			}
			w.stillServes()
		})
	}
}

// A client that asks for much and opens no window for the answers is let go.
func TestClosedWindow(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.BodyTimeout = 300 * time.Millisecond }))
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		for range 1000 {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil || r.Context().Err() != nil {
				return
			}
		}
	})
	fr, c := w.frames(w.api(), "api.test")
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	go io.Copy(io.Discard, c)
	const streams = 100
	for i := range uint32(streams) {
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: block(w.goodHead()...), EndStream: true, EndHeaders: true})
	}
	w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == streams })
	for _, r := range w.records.of(schemas.RecordOutcome) {
		if r.Custom.Outcome.Error == "" {
			t.Errorf("a response that nobody took ended as %+v", r.Custom.Outcome)
		}
	}
}

// An upstream that only ever says that it will say something.
func TestEndlessInformation(t *testing.T) {
	for name, status := range map[string]string{"continue": "100 Continue", "early hints": "103 Early Hints", "processing": "102 Processing"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ended := make(chan int, 1)
			w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
				c, _, err := http.NewResponseController(rw).Hijack()
				if err != nil {
					panic(err)
				}
				defer c.Close()
				n := 0
				for n < 1_000_000 {
					if _, err := io.WriteString(c, "HTTP/1.1 "+status+"\r\nX-Filler: "+strings.Repeat("f", 500)+"\r\n\r\n"); err != nil {
						break
					}
					n++
				}
				ended <- n
			})
			resp, body := w.inTunnel("GET", w.get("/x"))
			if resp.StatusCode != 502 || !strings.Contains(body, "upstream_error") {
				t.Errorf("%s %s", resp.Status, body)
			}
			if n := <-ended; n == 1_000_000 {
				t.Error("all of them were read")
			}
			w.oneRecord(schemas.CodeAllowed)
		})
	}
}

// What is sent behind a WebSocket upgrade that comes to nothing is not read as a
// request: the head scanner has let go of the connection.
func TestNothingFollowsARefusedUpgrade(t *testing.T) {
	const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	second := "GET /smuggled HTTP/1.1\nHost: ws.test\nTransfer-Encoding: chunked\nContent-Length: 3\n\n"
	for name, handler := range map[string]http.HandlerFunc{
		"200": func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, "no") },
		"426": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUpgradeRequired) },
		"204": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) },
		"101 of another key": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Upgrade", "websocket")
			rw.Header().Set("Connection", "Upgrade")
			rw.Header().Set("Sec-Websocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x")
			rw.WriteHeader(http.StatusSwitchingProtocols)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(handler)
			authority := fmt.Sprint("ws.test:", w.origin.port)
			tc := w.tunnel(authority, "ws.test")
			_, _ = io.WriteString(tc, "GET /chat HTTP/1.1\r\nHost: "+authority+"\r\n"+upgrade+"\r\n"+second)
			got, _ := io.ReadAll(tc)
			if n := strings.Count(string(got), "HTTP/1.1 "); n != 1 {
				t.Errorf("%d answers: %q", n, got)
			}
			w.oneRecord(schemas.CodeAllowed)
			if n := w.origin.requests.Load(); n != 1 {
				t.Errorf("%d requests reached the origin", n)
			}
		})
	}
}

func TestSandboxAPI_UpgradesToNothing(t *testing.T) {
	w := newWorld(t)
	c := w.dial()
	_, _ = io.WriteString(c, "GET "+bundlePath+" HTTP/1.1\r\nHost: g\r\n"+bearer(w.box)+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET http://api.test/ HTTP/1.1\nHost: a\n\n")
	got, _ := io.ReadAll(c)
	if n := strings.Count(string(got), "HTTP/1.1 "); n != 1 || !strings.HasPrefix(string(got), "HTTP/1.1 400") {
		t.Errorf("%d answers: %q", n, got)
	}
	w.oneRecord(schemas.CodeBadRequest)
}

// Half a tunnel: the client has said everything and still gets the answer.
func TestHalfClosedTunnel(t *testing.T) {
	w := newWorld(t)
	answer := make(chan struct{})
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		<-answer
		fmt.Fprint(rw, "late")
	})
	c := w.dial()
	authority := fmt.Sprint("pass.test:", w.origin.port)
	w.connect(c, authority)
	tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
	_, _ = io.WriteString(tc, "GET /x HTTP/1.1\r\nHost: "+authority+"\r\nConnection: close\r\n\r\n")
	w.wait(func() bool { return w.origin.requests.Load() == 1 })
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	close(answer)
	resp, body := readResponse(t, bufio.NewReader(tc), "GET")
	if resp.StatusCode != 200 || body != "late" {
		t.Errorf("%s %q", resp.Status, body)
	}
}

// soak is n, or more where the environment asks for the long run.
func soak(n, long int) int {
	if os.Getenv("OPENSHELL_SOAK") != "" {
		return long
	}
	return n
}

// endless gives n bytes.
type endless struct{ n int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.n))
	e.n -= int64(n)
	return n, nil
}

// A gibibyte goes up and another comes down in memory that does not grow with it;
// a sixteenth of that where nobody asked for the long run.
func TestLongBodiesInConstantMemory(t *testing.T) {
	size := int64(soak(64, 1024)) << 20
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil || r.Method == "POST" && n != size {
			rw.WriteHeader(http.StatusInternalServerError)
			return
		}
		if r.Method == "GET" {
			_, _ = io.Copy(rw, &endless{size})
		}
	})
	tc := w.tunnel(w.api(), "api.test")
	br := bufio.NewReader(tc)
	_ = tc.SetDeadline(time.Now().Add(10 * time.Minute))
	most := int64(0)
	runtime.GC()
	var begin runtime.MemStats
	runtime.ReadMemStats(&begin)
	watch := &highest{most: &most, from: int64(begin.HeapAlloc)}
	more := grown(func() {
		fmt.Fprintf(tc, "POST /x HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", w.api(), size)
		if _, err := io.Copy(tc, io.TeeReader(&endless{size}, watch)); err != nil {
			t.Fatal(err)
		}
		if resp, _ := readResponse(t, br, "POST"); resp.StatusCode != 200 {
			t.Fatal(resp.Status)
		}
		_, _ = io.WriteString(tc, w.get("/x"))
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(watch, resp.Body); n != size || err != nil {
			t.Fatalf("%d bytes came down, %v", n, err)
		}
	})
	if most > 64<<20 || more > 8<<20 {
		t.Errorf("the heap was %d MiB larger meanwhile, and %d KiB afterwards", most>>20, more>>10)
	}
}

// highest notes the heap's size now and then.
type highest struct {
	seen, from int64
	most       *int64
}

func (h *highest) Write(p []byte) (int, error) {
	if h.seen += int64(len(p)); h.seen > 8<<20 {
		h.seen = 0
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		*h.most = max(*h.most, int64(m.HeapAlloc)-h.from)
	}
	return len(p), nil
}

// A tunnel that was closed by half ends when nothing comes from the other side
// either, whatever that side does.
func TestHalfClosedTunnelEnds(t *testing.T) {
	w := newWorld(t, limits(func(l *gateway.Limits) { l.IdleTimeout = 300 * time.Millisecond }))
	never := make(chan struct{})
	defer close(never)
	w.origin.handle(func(http.ResponseWriter, *http.Request) { <-never })
	c := w.dial()
	authority := fmt.Sprint("pass.test:", w.origin.port)
	w.connect(c, authority)
	tc := tls.Client(c, &tls.Config{ServerName: "pass.test", InsecureSkipVerify: true})
	_, _ = io.WriteString(tc, "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	w.wait(func() bool { return w.origin.requests.Load() == 1 })
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, c)
	w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
}
