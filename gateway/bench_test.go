package gateway_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/gateway/ca"
)

// BenchmarkInspected compares the gateway, with OPA's decision and a bounded log,
// to the least inspecting proxy that net/http makes possible. Rounds of both are
// interleaved; the ratio of the medians is the number that counts.
//
//	go test -bench Inspected -run - ./gateway
func BenchmarkInspected(b *testing.B) {
	for _, conns := range []int{1, 32} {
		for _, size := range []int{1 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("conns=%d/body=%d", conns, size), func(b *testing.B) { compare(b, conns, size) })
		}
	}
}

func compare(b *testing.B, conns, size int) {
	w := benchWorld(b)
	body := bytes.Repeat([]byte("x"), size)
	w.origin.handle(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = rw.Write(body)
	})
	bare := newBareProxy(b, w)
	requests := 4000
	if size > 1<<16 {
		requests = 150
	}
	requests = max(requests/min(conns, 4), 50)
	ours := w.clients(b, w.g.ProxyAddr(), w.roots, conns)
	theirs := w.clients(b, bare.addr, bare.roots, conns)
	var mine, base []float64
	for b.Loop() {
		for range 5 {
			base = append(base, rate(b, theirs, requests))
			mine = append(mine, rate(b, ours, requests))
		}
	}
	slices.Sort(mine)
	slices.Sort(base)
	m, s := mine[len(mine)/2], base[len(base)/2]
	b.ReportMetric(m, "req/s")
	b.ReportMetric(s, "bare-req/s")
	b.ReportMetric(m/s, "ratio")
	b.ReportMetric(0, "ns/op")
}

func benchWorld(b *testing.B) *world {
	l, err := audit.Open(filepath.Join(b.TempDir(), "audit"), audit.Options{Mode: audit.Bounded})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return newWorld(b, func(_ *gateway.Config, d *gateway.Deps) { d.Audit = l })
}

// clients opens keep-alive tunnels through a proxy.
func (w *world) clients(b *testing.B, proxy string, roots *x509.CertPool, n int) []*benchClient {
	var out []*benchClient
	for range n {
		c, err := net.Dial("tcp", proxy)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		w.connect(c, w.api())
		tc := tls.Client(c, &tls.Config{ServerName: "api.test", RootCAs: roots})
		out = append(out, &benchClient{tc, bufio.NewReaderSize(tc, 64<<10), []byte(w.get("/x"))})
	}
	return out
}

type benchClient struct {
	conn    net.Conn
	br      *bufio.Reader
	request []byte
}

func (c *benchClient) do() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return fmt.Errorf("%s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// rate is the requests a second of all clients together.
func rate(b *testing.B, clients []*benchClient, requests int) float64 {
	begun := time.Now()
	var wg sync.WaitGroup
	each := max(1, requests/len(clients))
	for _, c := range clients {
		wg.Go(func() {
			_ = c.conn.SetDeadline(time.Now().Add(time.Minute))
			for range each {
				if err := c.do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(each*len(clients)) / time.Since(begun).Seconds()
}

// bareProxy inspects with http.Server and http.Transport and does nothing else.
type bareProxy struct {
	addr  string
	roots *x509.CertPool
}

func newBareProxy(b *testing.B, w *world) *bareProxy {
	a, err := ca.Open(filepath.Join(b.TempDir(), "ca"))
	if err != nil {
		b.Fatal(err)
	}
	leaves, err := ca.NewLeaves(a, nil)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(w.cfg.UpstreamRoots)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		b.Fatal(err)
	}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "api.test"}, MaxIdleConnsPerHost: 512, DisableCompression: true,
		ReadBufferSize: 16 << 10, WriteBufferSize: 8 << 10,
	}
	inner := make(chanListener)
	go http.Serve(inner, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { bareForward(tr, w.origin.port, rw, r) }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	cfg := &tls.Config{GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) { return leaves.Get(i.ServerName, true) }}
	go http.Serve(l, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		c, _, _ := rw.(http.Hijacker).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		inner <- tls.Server(c, cfg)
	}))
	p := &bareProxy{addr: l.Addr().String(), roots: x509.NewCertPool()}
	p.roots.AppendCertsFromPEM(a.PEM())
	return p
}

func bareForward(tr *http.Transport, port int, rw http.ResponseWriter, r *http.Request) {
	out := r.Clone(r.Context())
	out.URL = &url.URL{Scheme: "https", Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	out.RequestURI = ""
	resp, err := tr.RoundTrip(out)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	for k, v := range resp.Header {
		rw.Header()[k] = v
	}
	rw.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(rw, resp.Body)
}

type chanListener chan net.Conn

func (l chanListener) Accept() (net.Conn, error) { return <-l, nil }
func (l chanListener) Close() error              { return nil }
func (l chanListener) Addr() net.Addr            { return &net.TCPAddr{} }
