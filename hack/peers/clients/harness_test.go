package clients_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/compiler"
	"github.com/openshell-policy/openshell/gateway"
	"github.com/openshell-policy/openshell/rego"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// world is a gateway with one sandbox under policy p.
type world struct {
	g       *gateway.Gateway
	box     adminapi.CreatedSandbox
	records *memory
	bundle  atomic.Value // []byte
	dir     string
	port    int // of the origin, where a test needs it
}

// memory keeps records.
type memory struct {
	mu  sync.Mutex
	all []*schemas.Record
}

func (m *memory) Append(_ context.Context, r *schemas.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, r)
	return nil
}

func (m *memory) Enqueue(ctx context.Context, r *schemas.Record) error { return m.Append(ctx, r) }

// decisions are the codes that were decided for a path.
func (m *memory) decisions(path string) (codes []schemas.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.all {
		if r.Custom.Type == schemas.RecordDecision && r.Input.Network.Path == path {
			codes = append(codes, r.Custom.Code)
		}
	}
	return codes
}

// names are the hosts of origins in these tests.
func names() []string { return []string{"grpc.test", "ws.test", "page.test", "other.test"} }

// newWorld starts a gateway under the rules, entries of outbound in YAML.
func newWorld(t *testing.T, roots string, rules ...string) *world {
	t.Helper()
	w := &world{records: &memory{}, dir: t.TempDir()}
	w.put(t, rules...)
	cfg := gateway.DefaultConfig()
	cfg.Listen = gateway.Listen{Proxy: "127.0.0.1:0", Admin: "127.0.0.1:0"}
	cfg.StateDir, cfg.UpstreamRoots, cfg.AllowLoopback = w.dir, roots, true
	cfg.Limits.DrainTimeout = time.Second
	cfg.Resolve = map[string][]netip.Addr{}
	for _, n := range names() {
		cfg.Resolve[n] = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	g, err := gateway.New(cfg, gateway.Deps{
		Compile: func(context.Context) ([]byte, []string, error) { return w.bundle.Load().([]byte), nil, nil },
		Watch:   []string{}, Audit: w.records,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.g = g
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	if w.box, err = g.CreateSandbox(adminapi.CreateSandbox{Agent: "claude", Policy: "p"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// put compiles the policy of these rules.
func (w *world) put(t *testing.T, rules ...string) {
	t.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec:\n  network:\n    outbound:\n"
	for _, r := range rules {
		text += "      - " + r + "\n"
	}
	r := compiler.Compile([]compiler.Source{{Name: "p.yaml", Data: []byte(text)}}, compiler.Options{Rego: rego.Library()})
	if r.Bundle == nil {
		t.Fatalf("policy: %+v\n%s", r.Diagnostics, text)
	}
	w.bundle.Store(r.Bundle)
}

// load puts the policy of these rules in force.
func (w *world) load(t *testing.T, rules ...string) {
	t.Helper()
	w.put(t, rules...)
	if changed, err := w.g.Reload(t.Context()); err != nil || !changed {
		t.Fatalf("reload: %t, %v", changed, err)
	}
}

// proxy is the URL in a sandbox's HTTPS_PROXY.
func (w *world) proxy() *url.URL {
	return &url.URL{Scheme: "http", User: url.UserPassword(w.box.ID, w.box.Token), Host: w.g.ProxyAddr()}
}

// trust is the TLS configuration of a client in the sandbox.
func (w *world) trust() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(w.g.CAPEM())
	return &tls.Config{RootCAs: pool}
}

// connect opens a tunnel as an unmodified client would.
func (w *world) connect(ctx context.Context, authority string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", w.g.ProxyAddr())
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodConnect, "http://"+authority, nil)
	if err != nil {
		return nil, err
	}
	r.Host = authority
	r.SetBasicAuth(w.box.ID, w.box.Token)
	r.Header["Proxy-Authorization"] = r.Header["Authorization"]
	delete(r.Header, "Authorization")
	if err := r.Write(c); err != nil {
		return nil, err
	}
	return c, oneAnswer(c)
}

// oneAnswer reads the answer to a CONNECT byte by byte, so that nothing behind it
// is lost.
func oneAnswer(c net.Conn) error {
	var head []byte
	for b := make([]byte, 1); len(head) < 4 || string(head[len(head)-4:]) != "\r\n\r\n"; head = append(head, b[0]) {
		if _, err := c.Read(b); err != nil {
			return err
		}
	}
	if len(head) < 12 || string(head[9:12]) != "200" {
		return fmt.Errorf("CONNECT: %.40q", head)
	}
	return nil
}

// certificate is one for all names, in a file as well.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "origins"}, DNSNames: names(),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// origin serves over TLS, HTTP/2 too, and returns its port.
func origin(t *testing.T, cert tls.Certificate, h http.Handler) int {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).Port
}
