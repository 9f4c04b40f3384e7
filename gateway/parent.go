package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/openshell-policy/openshell/gateway/guard"
)

// UpstreamProxy is the proxy through which the gateway itself must go, as in many
// companies. The gateway resolves and checks names all the same, and has the
// parent connect to the address that it checked.
type UpstreamProxy struct {
	URL             string `yaml:"url"`              // http:// or https://, host:port
	CredentialsFile string `yaml:"credentials_file"` // holds user:password
	CredentialsEnv  string `yaml:"credentials_env"`  // name of the variable that does
	// NoProxy are hosts that are dialled directly, as NO_PROXY has them: a name
	// with its subdomains, .name for those alone, an address, a CIDR, each with
	// :port if wanted.
	NoProxy []string `yaml:"no_proxy"`
	// ParentResolves leaves names to the parent. The dial guard then sees no
	// addresses but those that requests name.
	ParentResolves bool `yaml:"parent_resolves"`
}

// parent dials through an upstream proxy; nil dials directly.
type parent struct {
	config UpstreamProxy
	addr   string
	secure *tls.Config // nil: the way to the proxy is in clear
	auth   string      // value of Proxy-Authorization, or ""
	bypass func(*url.URL) (*url.URL, error)
}

// newParent reads the credentials. roots vouch for a proxy of https.
func newParent(c UpstreamProxy, secure *tls.Config, lookup LookupEnv) (*parent, error) {
	if c.URL == "" {
		return nil, nil
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("configuration: upstream_proxy.url is not http://HOST:PORT or https://HOST:PORT, without credentials")
	}
	p := &parent{config: c, addr: u.Host}
	if u.Port() == "" {
		p.addr = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	if u.Scheme == "https" {
		p.secure = secure.Clone()
		p.secure.ServerName, p.secure.NextProtos = u.Hostname(), nil
	}
	if p.auth, err = c.authorization(lookup); err != nil {
		return nil, err
	}
	p.bypass = (&httpproxy.Config{HTTPProxy: c.URL, HTTPSProxy: c.URL, NoProxy: strings.Join(c.NoProxy, ",")}).ProxyFunc()
	return p, nil
}

func (c *UpstreamProxy) authorization(lookup LookupEnv) (string, error) {
	var text string
	switch {
	case c.CredentialsFile != "" && c.CredentialsEnv != "":
		return "", errors.New("configuration: upstream_proxy.credentials_file and credentials_env exclude each other")
	case c.CredentialsFile != "":
		data, err := os.ReadFile(c.CredentialsFile)
		if err != nil {
			return "", fmt.Errorf("upstream proxy: %w", err)
		}
		text = strings.TrimSpace(string(data))
	case c.CredentialsEnv != "":
		text, _ = lookup(c.CredentialsEnv)
	default:
		return "", nil
	}
	if user, _, ok := strings.Cut(text, ":"); !ok || user == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return "", errors.New("configuration: the credentials of upstream_proxy are not user:password")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)), nil
}

// dialUpstream connects to a destination that was allowed: directly, or by the
// parent to an address that the guard checked.
func (p *parent) dialUpstream(ctx context.Context, g *guard.Guard, host string, port int, permit []netip.Prefix) (net.Conn, error) {
	if p == nil || p.bypasses(host, port) {
		return g.Dial(ctx, host, port, permit)
	}
	if _, err := netip.ParseAddr(host); p.config.ParentResolves && err != nil {
		return p.connect(ctx, hostPort(host, port))
	}
	addrs, err := g.Usable(ctx, host, port, permit)
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		var c net.Conn
		if c, err = p.connect(ctx, a.String()); err == nil || ctx.Err() != nil {
			return c, err
		}
	}
	return nil, err
}

func (p *parent) bypasses(host string, port int) bool {
	u, err := p.bypass(&url.URL{Scheme: "https", Host: hostPort(host, port)})
	return err == nil && u == nil && !isLoopbackName(host)
}

// isLoopbackName tells what httpproxy never sends to a proxy, whatever no_proxy
// says. Here the guard decides on such names like on any other.
func isLoopbackName(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// connectWithin bounds the parent's answer to a CONNECT.
const connectWithin = 30 * time.Second

// connect has the parent open a tunnel.
func (p *parent) connect(ctx context.Context, authority string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return nil, fmt.Errorf("upstream proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	tunnel, err := p.ask(ctx, c, authority)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("upstream proxy: %w", err)
	}
	return tunnel, nil
}

func (p *parent) ask(ctx context.Context, c net.Conn, authority string) (net.Conn, error) {
	if p.secure != nil {
		tc := tls.Client(c, p.secure)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = tc
	}
	request := "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n"
	if p.auth != "" {
		request += "Proxy-Authorization: " + p.auth + "\r\n"
	}
	if _, err := io.WriteString(c, request+"\r\n"); err != nil {
		return nil, err
	}
	br := bufio.NewReader(io.LimitReader(c, 64<<10))
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, errors.New("its answer to CONNECT is not HTTP")
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered CONNECT %s with %d", authority, resp.StatusCode)
	}
	rest, _ := br.Peek(br.Buffered())
	if len(rest) == 0 {
		return c, nil
	}
	return &replayConn{Conn: c, first: rest}, nil
}
