package gateway_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// world is a gateway with one sandbox, an origin that speaks TLS and one that
// does not, and everything that each of them saw.
type world struct {
	tb       testing.TB
	g        *gateway.Gateway
	records  *memory
	engine   *brittleEngine
	policies testPolicies
	box      adminapi.CreatedSandbox
	roots    *x509.CertPool // the gateway's CA

	origin, plain *origin
	cfg           gateway.Config
	stop          func()        // begins draining
	reads         *atomic.Int64 // times that a watched world compiled
	compile       atomic.Value  // []byte: the bundle that the compiler makes
}

// origin counts what reaches an upstream.
type origin struct {
	*httptest.Server
	port     int
	conns    atomic.Int64
	requests atomic.Int64
	mu       sync.Mutex
	seen     []*http.Request
	handler  http.HandlerFunc
}

func (o *origin) serve(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	o.mu.Lock()
	o.seen = append(o.seen, r)
	h := o.handler
	o.mu.Unlock()
	if h != nil {
		h(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %d", r.Method, r.RequestURI, len(body))
}

func (o *origin) handle(h http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.handler = h
}

func (o *origin) last(tb testing.TB) *http.Request {
	tb.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) == 0 {
		tb.Fatal("nothing reached the origin")
	}
	return o.seen[len(o.seen)-1]
}

func newUnstartedOrigin(cert *tls.Certificate) *origin {
	o := &origin{}
	o.Server = httptest.NewUnstartedServer(http.HandlerFunc(o.serve))
	o.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			o.conns.Add(1)
		}
	}
	if cert != nil {
		o.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	}
	return o
}

func newOrigin(tb testing.TB, cert *tls.Certificate) *origin {
	tb.Helper()
	o := newUnstartedOrigin(cert)
	if cert != nil {
		o.StartTLS()
	} else {
		o.Config.Protocols = new(http.Protocols)
		o.Config.Protocols.SetUnencryptedHTTP2(true)
		o.Config.Protocols.SetHTTP1(true)
		o.Start()
	}
	tb.Cleanup(o.Close)
	o.port = o.Listener.Addr().(*net.TCPAddr).Port
	return o
}

// testCert makes a self-signed certificate for names below test, in a file.
func testCert(tb testing.TB) (*tls.Certificate, string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "origins"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"api.test", "evil.test", "pass.test", "ws.test", "wild.test", "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		tb.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// option changes a world before it begins.
type option func(*gateway.Config, *gateway.Deps)

func newWorld(tb testing.TB, options ...option) *world {
	tb.Helper()
	cert, roots := testCert(tb)
	w := &world{tb: tb, records: &memory{}, origin: newOrigin(tb, cert), plain: newOrigin(tb, nil)}
	w.put(defaultPolicies(w.origin.port, w.plain.port))
	w.engine = newBrittleEngine()
	cfg := gateway.DefaultConfig()
	cfg.Listen = gateway.Listen{Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	cfg.StateDir, cfg.UpstreamRoots, cfg.AllowLoopback = tb.TempDir(), roots, true
	loopback, private := []netip.Addr{netip.MustParseAddr("127.0.0.1")}, []netip.Addr{netip.MustParseAddr("10.9.8.7")}
	cfg.Resolve = map[string][]netip.Addr{
		"api.test": loopback, "evil.test": loopback, "pass.test": loopback, "ws.test": loopback, "wild.test": loopback,
		"private.test": private, "metadata.test": {netip.MustParseAddr("169.254.169.254")},
	}
	cfg.Limits.DrainTimeout = 2 * time.Second
	deps := gateway.Deps{
		Compile: func(context.Context) ([]byte, []string, error) { return w.compile.Load().([]byte), nil, nil },
		Watch:   []string{}, Engine: w.engine, Audit: w.records,
	}
	for _, o := range options {
		o(&cfg, &deps)
	}
	w.cfg = cfg
	w.start(cfg, deps)
	return w
}

func (w *world) start(cfg gateway.Config, deps gateway.Deps) {
	w.tb.Helper()
	g, err := gateway.New(cfg, deps)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.g = g
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	w.tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.tb.Errorf("run: %v", err)
		}
	})
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(g.CAPEM())
	if w.box, err = g.CreateSandbox(adminapi.CreateSandbox{Agent: "claude", Policy: "p"}); err != nil {
		w.tb.Fatal(err)
	}
}

func auth(box adminapi.CreatedSandbox) string {
	return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(box.ID+":"+box.Token)) + "\r\n"
}

// dial opens a connection to the proxy that ends with the test.
func (w *world) dial() net.Conn {
	w.tb.Helper()
	c, err := net.Dial("tcp", w.g.ProxyAddr())
	if err != nil {
		w.tb.Fatal(err)
	}
	w.tb.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// api is the authority of the origin that the policy names.
func (w *world) api() string { return "api.test:" + strconv.Itoa(w.origin.port) }

// connect opens a tunnel and returns the answer's status.
func (w *world) connect(c net.Conn, authority string) (*http.Response, *bufio.Reader) {
	w.tb.Helper()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", authority, authority, auth(w.box))
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil {
		w.tb.Fatal(err)
	}
	return resp, br
}

// tunnel opens a tunnel and does the handshake with the given server name.
func (w *world) tunnel(authority, sni string) *tls.Conn {
	w.tb.Helper()
	c := w.dial()
	resp, _ := w.connect(c, authority)
	if resp.StatusCode != 200 {
		w.tb.Fatalf("CONNECT %s: %s", authority, resp.Status)
	}
	host, _, _ := net.SplitHostPort(authority)
	tc := tls.Client(c, &tls.Config{
		ServerName: sni, RootCAs: w.roots, InsecureSkipVerify: sni == "",
		VerifyConnection: func(s tls.ConnectionState) error { return s.PeerCertificates[0].VerifyHostname(host) },
	})
	if err := tc.Handshake(); err != nil {
		w.tb.Fatal(err)
	}
	return tc
}

// exchange writes raw bytes and reads one response with its body.
func exchange(tb testing.TB, c net.Conn, method, raw string) (*http.Response, string) {
	tb.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		tb.Fatal(err)
	}
	return readResponse(tb, bufio.NewReader(c), method)
}

func readResponse(tb testing.TB, br *bufio.Reader, method string) (*http.Response, string) {
	tb.Helper()
	resp, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("no response: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatalf("body: %v", err)
	}
	return resp, string(body)
}

// inTunnel sends one raw request in a fresh tunnel to the API.
func (w *world) inTunnel(method, raw string) (*http.Response, string) {
	w.tb.Helper()
	return exchange(w.tb, w.tunnel(w.api(), "api.test"), method, raw)
}

func (w *world) get(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + w.api() + "\r\n\r\n"
}

// denied checks an answer of the gateway itself, that exactly one record tells
// of it, and that nothing reached an upstream.
func (w *world) denied(resp *http.Response, body string, status int, code schemas.Code) {
	w.tb.Helper()
	if resp.StatusCode != status {
		w.tb.Errorf("status %d, want %d: %s", resp.StatusCode, status, body)
	}
	var d struct {
		Error, Message, Policy, Rule, Sandbox string
		Code                                  schemas.Code
		DecisionID                            string `json:"decision_id"`
	}
	if err := json.Unmarshal([]byte(body), &d); err != nil && resp.Request.Method != "HEAD" {
		w.tb.Fatalf("body %q: %v", body, err)
	}
	if d.Code != code || d.Error == "" || d.Message == "" || d.DecisionID == "" {
		w.tb.Errorf("denial %+v, want code %s", d, code)
	}
	r := w.oneRecord(code)
	if r.DecisionID != d.DecisionID {
		w.tb.Errorf("record %s, answer %s", r.DecisionID, d.DecisionID)
	}
	w.untouched()
}

// oneRecord waits for a record and checks that it is the only one.
func (w *world) oneRecord(code schemas.Code) *schemas.Record {
	w.tb.Helper()
	w.wait(func() bool { return len(w.records.decisions()) > 0 })
	time.Sleep(30 * time.Millisecond)
	all := w.records.decisions()
	if len(all) != 1 {
		w.tb.Fatalf("%d records, want 1: %v", len(all), codes(all))
	}
	if all[0].Custom.Code != code {
		w.tb.Errorf("recorded %s (%s), want %s", all[0].Custom.Code, all[0].Result.Message, code)
	}
	return all[0]
}

func codes(rs []*schemas.Record) (out []string) {
	for _, r := range rs {
		out = append(out, string(r.Custom.Code)+" "+r.Input.Network.Method+": "+r.Result.Message)
	}
	return out
}

func (w *world) untouched() {
	w.tb.Helper()
	if n := w.origin.conns.Load() + w.plain.conns.Load(); n != 0 {
		w.tb.Errorf("%d connections reached an upstream", n)
	}
}

func (w *world) wait(ok func() bool) {
	w.tb.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			w.tb.Fatal("timed out")
		}
	}
}

// memory is a log in memory.
type memory struct {
	mu  sync.Mutex
	all []*schemas.Record
	err error
}

var errDisk = errors.New("disk full")

func (m *memory) Append(_ context.Context, r *schemas.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	m.all = append(m.all, r)
	return nil
}

func (m *memory) Enqueue(ctx context.Context, r *schemas.Record) error { return m.Append(ctx, r) }

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memory) of(kind string) []*schemas.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.all), func(r *schemas.Record) bool { return r.Custom.Type != kind })
}

func (m *memory) decisions() []*schemas.Record { return m.of(schemas.RecordDecision) }

func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = nil
}
