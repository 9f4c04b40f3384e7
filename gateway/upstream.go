package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/openshell-policy/openshell/gateway/guard"
)

// upstreams keeps a pool of connections for each set of private addresses that a
// rule consents to: a connection that one rule's consent opened must not serve a
// request of another's.
type upstreams struct {
	guard  *guard.Guard
	parent *parent
	tls    *tls.Config

	mu    sync.Mutex
	pools map[string]*http.Transport
}

// newUpstreams reads the system's roots and those of the configuration.
func newUpstreams(g *guard.Guard, rootsFile string, proxy UpstreamProxy) (*upstreams, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(512)}
	if rootsFile != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		pem, err := os.ReadFile(rootsFile)
		if err != nil {
			return nil, fmt.Errorf("upstream roots: %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("upstream roots: %q holds no certificate", rootsFile)
		}
		cfg.RootCAs = roots
	}
	p, err := newParent(proxy, cfg, os.LookupEnv)
	return &upstreams{guard: g, parent: p, tls: cfg, pools: map[string]*http.Transport{}}, err
}

// transport returns the pool for a set of consents; clear2 is for requests that
// came as HTTP/2 in clear and are sent on so.
func (u *upstreams) transport(permit []netip.Prefix, clear2 bool) *http.Transport {
	key := permitKey(permit)
	if clear2 {
		key += " h2c"
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.pools[key]
	if t == nil {
		t = u.newTransport(slices.Clone(permit))
		if clear2 {
			t.Protocols = new(http.Protocols)
			t.Protocols.SetUnencryptedHTTP2(true)
		}
		u.pools[key] = t
	}
	return t
}

func permitKey(permit []netip.Prefix) string {
	if len(permit) == 0 {
		return ""
	}
	names := make([]string, len(permit))
	for i, p := range permit {
		names[i] = p.Masked().String()
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}

func (u *upstreams) newTransport(permit []netip.Prefix) *http.Transport {
	return &http.Transport{
		Proxy: nil, // not from the environment
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return u.dialAddr(ctx, addr, permit)
		},
		TLSClientConfig:        u.tls.Clone(),
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // bodies go through as they are
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    512, // the default of 2 costs a factor 7 at 32 clients
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        8 << 10,
	}
}

// dial connects to an allowed destination.
func (u *upstreams) dial(ctx context.Context, host string, port int, permit []netip.Prefix) (net.Conn, error) {
	return u.parent.dialUpstream(ctx, u.guard, host, port, permit)
}

// dialAddr is dial for "host:port", as net/http has it.
func (u *upstreams) dialAddr(ctx context.Context, addr string, permit []netip.Prefix) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("port of %q: %w", addr, err)
	}
	return u.dial(ctx, host, port, permit)
}

// retire drops every pool: what an old generation consented to must not stay
// open. Requests in flight end undisturbed.
func (u *upstreams) retire() {
	u.mu.Lock()
	old := u.pools
	u.pools = map[string]*http.Transport{}
	u.mu.Unlock()
	for _, t := range old {
		t.CloseIdleConnections()
	}
}
