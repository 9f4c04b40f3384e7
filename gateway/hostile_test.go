package gateway_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
)

// Clients and upstreams that do their worst: each gets a clear answer, leaves one
// record, and holds nothing afterwards.

func TestF19_HeadersOf200MiB(t *testing.T) {
	w := newWorld(t)
	tc := w.tunnel(w.api(), "api.test")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sent := make(chan int, 1)
	go func() {
		n, _ := io.WriteString(tc, "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\n")
		line := []byte("X: " + strings.Repeat("a", 4000) + "\r\n")
		for n < 200<<20 {
			m, err := tc.Write(line)
			n += m
			if err != nil {
				break
			}
		}
		sent <- n
	}()
	resp, body := readResponse(t, bufio.NewReader(tc), "GET")
	w.denied(resp, body, 431, schemas.CodeBadRequest)
	tc.Close()
	if n := <-sent; n > 32<<20 {
		t.Errorf("%d MiB of a head were taken", n>>20)
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestF12_EndlessExtension(t *testing.T) {
	for name, chunk := range map[string]string{"extension": "3;", "size": "00000", "trailer": "0\r\n"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc := w.tunnel(w.api(), "api.test")
			go func() {
				_, _ = io.WriteString(tc, "POST /x HTTP/1.1\r\nHost: "+w.api()+"\r\nTransfer-Encoding: chunked\r\n\r\n"+chunk)
				piece := []byte(strings.Repeat("a", 4000))
				if name == "size" {
					piece = bytes.Repeat([]byte("0"), 4000)
				}
				for {
					if _, err := tc.Write(piece); err != nil {
						return
					}
				}
			}()
			resp, _ := readResponse(t, bufio.NewReader(tc), "POST")
			if resp.StatusCode != 400 || !resp.Close {
				t.Errorf("%s, close %v", resp.Status, resp.Close)
			}
			w.oneRecord(schemas.CodeAllowed) // its head was; the outcome tells of the body
			w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
		})
	}
}

// A bomb goes through as it is: nothing here inflates bodies.
func TestCompressionBomb(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 256 {
		_, _ = z.Write(make([]byte, 1<<20))
	}
	_ = z.Close()
	w := newWorld(t)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Encoding", "gzip")
		_, _ = rw.Write(bomb.Bytes())
	})
	resp, body := w.inTunnel("GET", "GET /x HTTP/1.1\r\nHost: "+w.api()+"\r\nAccept-Encoding: gzip\r\n\r\n")
	if resp.Header.Get("Content-Encoding") != "gzip" || body != bomb.String() {
		t.Errorf("%d bytes of %q, want the %d that were sent", len(body), resp.Header.Get("Content-Encoding"), bomb.Len())
	}
	resp, body = w.inTunnel("GET", w.get("/x")) // without the client asking for it
	if resp.Header.Get("Content-Encoding") != "gzip" || body != bomb.String() {
		t.Errorf("unasked: %d bytes of %q", len(body), resp.Header.Get("Content-Encoding"))
	}
}

func TestUpstreamGarbage(t *testing.T) {
	for name, raw := range map[string]string{
		"nothing": "", "text": "hello\r\n\r\n", "zeros": strings.Repeat("\x00", 1000), "no status": "HTTP/1.1 \r\n\r\n", "status of letters": "HTTP/1.1 abc OK\r\n\r\n",
		"other version": "HTTP/9.9 200 OK\r\n\r\n", "half a head": "HTTP/1.1 200 OK\r\nX: ", "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"bad length": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "odd encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
		"unasked 101": "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI", "status 99": "HTTP/1.1 099 No\r\n\r\n", "status 1000": "HTTP/1.1 1000 No\r\n\r\n",
		"100 for ever": strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.origin.handle(hijacked(raw))
			resp, body := w.inTunnel("GET", w.get("/x"))
			if resp.StatusCode != 502 || !strings.Contains(body, `"upstream_error"`) {
				t.Errorf("%s %q", resp.Status, body)
			}
			w.oneRecord(schemas.CodeAllowed)
			w.wait(func() bool { return len(w.records.of(schemas.RecordOutcome)) == 1 })
			if o := w.records.of(schemas.RecordOutcome)[0].Custom.Outcome; o.Error == "" {
				t.Error("the outcome does not tell")
			}
		})
	}
}

// certificateFor makes a certificate that is wrong in one way.
func certificateFor(t *testing.T, edit func(*x509.Certificate)) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"api.test"}, IsCA: true, BasicConstraintsValid: true,
	}
	edit(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestUpstreamCertificates(t *testing.T) {
	for name, tt := range map[string]struct {
		edit    func(*x509.Certificate)
		trusted bool
		says    string
	}{
		"expired":       {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, true, "expired"},
		"not yet valid": {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, true, "not yet valid"},
		"other name":    {func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} }, true, "other.test"},
		"unknown":       {func(*x509.Certificate) {}, false, "unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			cert, roots := certificateFor(t, tt.edit)
			w := newWorld(t, func(c *gateway.Config, _ *gateway.Deps) {
				if tt.trusted {
					if err := os.WriteFile(c.UpstreamRoots, roots, 0o600); err != nil {
						t.Fatal(err)
					}
				}
			})
			bad := newOrigin(t, &cert)
			w.load(w.policies.change("outbound[0]", func(r *testRule) { r.port = bad.port }))
			authority := fmt.Sprint("api.test:", bad.port)
			resp, body := exchange(t, w.tunnel(authority, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
			if resp.StatusCode != 502 || !strings.Contains(body, `"upstream_error"`) || !strings.Contains(body, tt.says) {
				t.Errorf("%s %s", resp.Status, body)
			}
			w.oneRecord(schemas.CodeAllowed)
			if bad.requests.Load() != 0 {
				t.Error("the request went out")
			}
		})
	}
}

func TestG02_UpstreamSpeaksOldTLS(t *testing.T) {
	w := newWorld(t)
	cert, _ := testCert(t)
	old := newUnstartedOrigin(cert)
	old.TLS.MaxVersion = tls.VersionTLS11
	old.StartTLS()
	defer old.Close()
	port := old.Listener.Addr().(*net.TCPAddr).Port
	w.load(w.policies.change("outbound[0]", func(r *testRule) { r.port = port }))
	authority := fmt.Sprint("api.test:", port)
	resp, body := exchange(t, w.tunnel(authority, "api.test"), "GET", "GET /x HTTP/1.1\r\nHost: "+authority+"\r\n\r\n")
	if resp.StatusCode != 502 || !strings.Contains(body, "upstream_error") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// A client that ends its half still gets the answer; one that resets does not
// keep the upstream busy.
func TestHalfOpen(t *testing.T) {
	w := newWorld(t)
	authority := fmt.Sprint("api.test:", w.plain.port)
	c := w.dial().(*net.TCPConn)
	io.WriteString(c, "GET http://"+authority+"/x HTTP/1.1\r\nHost: "+authority+"\r\nConnection: close\r\n"+auth(w.box)+"\r\n")
	_ = c.CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil || len(got) > 0 && !bytes.HasPrefix(got, []byte("HTTP/1.1 ")) {
		t.Errorf("%q, %v", got, err)
	}
	w.wait(func() bool { return len(w.records.decisions()) == 1 })
}

// descriptors counts this process's.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// After a storm of broken clients every goroutine and descriptor is back.
func TestNothingIsLeft(t *testing.T) {
	w := newWorld(t, withSOCKS, limits(func(l *gateway.Limits) {
		l.HeaderTimeout, l.HandshakeTimeout, l.BodyTimeout, l.IdleTimeout = time.Second, time.Second, time.Second, time.Second
	}))
	w.inTunnel("GET", w.get("/x"))
	http.DefaultClient.CloseIdleConnections()
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	storm(t, w)
	var g, f int
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if g, f = runtime.NumGoroutine(), descriptors(t); g <= goroutines+3 && f <= fds+3 {
			return
		}
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before; %d descriptors, %d before\n%s", g, goroutines, f, fds, buf[:runtime.Stack(buf, true)])
}

func storm(t *testing.T, w *world) {
	hello := clientHello(t, "api.test")
	connect := "CONNECT " + w.api() + " HTTP/1.1\r\nHost: " + w.api() + "\r\n" + auth(w.box) + "\r\n"
	for _, raw := range []string{
		"", "G", "GET / HTTP/1.1\r\n", "\x05\x01\x00", "\x16\x03\x01", connect, connect + "\x16", connect + string(hello), connect + string(hello[:40]), connect + "GET / HTTP/1.1\r\n\r\n",
		connect + string(hello) + "garbage", "CONNECT x HTTP/1.1\r\n\r\n", "GET http://api.test/ HTTP/1.1\r\nHost: api.test\r\n" + auth(w.box) + "Content-Length: 100\r\n\r\nabc",
		strings.Replace(connect, w.api(), "pypi.org:443", 2), strings.Replace(connect, w.api(), "pypi.org:443", 2) + string(clientHello(t, "pypi.org")),
		strings.Replace(connect, w.api(), fmt.Sprint("pass.test:", w.origin.port), 2) + string(clientHello(t, "pass.test")),
	} {
		for _, how := range []func(net.Conn){
			func(c net.Conn) { c.Close() },
			func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() },
			func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
			func(net.Conn) {},
		} {
			for range 3 {
				c := w.dial()
				_, err := io.WriteString(c, raw)
				if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
					t.Fatal(err)
				}
				time.AfterFunc(10*time.Millisecond, func() { how(c) })
				time.AfterFunc(3*time.Second, func() { c.Close() })
			}
		}
	}
}
