package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// sample is one measurement.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
	cpu       time.Duration // of the proxy, for each request
	rss       int64         // bytes, of the proxy
}

// client sends one request after the other.
type client interface {
	do(ctx context.Context) error
	close()
}

// measure lets the scenario's clients send for a while.
func measure(ctx context.Context, w *world, p peer, s scenario, each time.Duration) (sample, error) {
	pool := poolOf(p.roots)
	var clients []client
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for range s.clients {
		c := newClient(w, p, s, pool)
		clients = append(clients, c)
		if err := c.do(ctx); err != nil { // warm
			return sample{}, err
		}
	}
	before := cpuOf(p.pgid)
	begun := time.Now()
	took, err := all(ctx, clients, begun.Add(each))
	elapsed := time.Since(begun)
	if err != nil {
		return sample{}, err
	}
	slices.Sort(took)
	n := len(took)
	return sample{
		perSecond: float64(n) / elapsed.Seconds(), p50: took[n/2], p99: took[n*99/100],
		cpu: (cpuOf(p.pgid) - before) / time.Duration(n), rss: rssOf(p.pgid),
	}, nil
}

func poolOf(pem []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

func all(ctx context.Context, clients []client, until time.Time) (took []time.Duration, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range clients {
		wg.Go(func() {
			var mine []time.Duration
			var failed error
			for len(mine) == 0 || time.Now().Before(until) {
				begun := time.Now()
				if failed = c.do(ctx); failed != nil {
					break
				}
				mine = append(mine, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, mine...), errors.Join(err, failed)
		})
	}
	wg.Wait()
	return took, err
}

func newClient(w *world, p peer, s scenario, pool *x509.CertPool) client {
	path := fmt.Sprintf("/%d", s.size)
	if s.h2 {
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true, DisableCompression: true}
		if p.proxy != nil {
			tr.Proxy = http.ProxyURL(p.proxy)
		}
		return &h2Client{tr: tr, url: "https://" + w.origin + path, fresh: s.fresh, size: int64(s.size)}
	}
	return &h1Client{
		origin: w.origin, peer: p, fresh: s.fresh, size: int64(s.size), cfg: &tls.Config{RootCAs: pool, ServerName: "localhost"},
		request: []byte("GET " + path + " HTTP/1.1\r\nHost: " + w.origin + "\r\n\r\n"),
	}
}

// h2Client is net/http's.
type h2Client struct {
	tr    *http.Transport
	url   string
	fresh bool
	size  int64
}

var errNoHTTP2 = errors.New("it does not speak HTTP/2")

func (c *h2Client) do(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return err
	}
	resp, err := c.tr.RoundTrip(r)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if c.fresh {
		c.tr.CloseIdleConnections()
	}
	switch {
	case err != nil:
		return err
	case resp.ProtoMajor != 2:
		return errNoHTTP2
	case resp.StatusCode != http.StatusOK || n != c.size:
		return fmt.Errorf("%s with %d bytes", resp.Status, n)
	}
	return nil
}

func (c *h2Client) close() { c.tr.CloseIdleConnections() }

// h1Client writes requests as they are, so that it costs little.
type h1Client struct {
	origin  string
	peer    peer
	fresh   bool
	size    int64
	cfg     *tls.Config
	request []byte

	conn net.Conn
	br   *bufio.Reader
}

func (c *h1Client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *h1Client) do(context.Context) error {
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return err
		}
	}
	err := c.exchange()
	if c.fresh || err != nil {
		c.close()
	}
	return err
}

func (c *h1Client) exchange() error {
	_ = c.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n != c.size) {
		err = fmt.Errorf("%s with %d bytes", resp.Status, n)
	}
	return err
}

func (c *h1Client) connect() error {
	to := c.origin
	if c.peer.proxy != nil {
		to = c.peer.proxy.Host
	}
	raw, err := net.DialTimeout("tcp", to, 10*time.Second)
	if err != nil {
		return err
	}
	_ = raw.SetDeadline(time.Now().Add(30 * time.Second))
	if c.peer.proxy != nil {
		if err := c.open(raw); err != nil {
			raw.Close()
			return err
		}
	}
	tc := tls.Client(raw, c.cfg)
	if err := tc.Handshake(); err != nil {
		raw.Close()
		return err
	}
	c.conn, c.br = tc, bufio.NewReaderSize(tc, 64<<10)
	return nil
}

func (c *h1Client) open(raw net.Conn) error {
	auth := ""
	if u := c.peer.proxy.User; u != nil {
		password, _ := u.Password()
		auth = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)) + "\r\n"
	}
	if _, err := fmt.Fprintf(raw, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", c.origin, c.origin, auth); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(raw), &http.Request{Method: http.MethodConnect})
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New("CONNECT: " + resp.Status)
	}
	return err
}
