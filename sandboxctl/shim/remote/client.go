package remote

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/fault"
)

// Options say how the gateway is reached.
type Options struct {
	URL       string // http://openshell-gateway.NAMESPACE:8080: the proxy's listener
	TokenFile string // of the sandbox's token
	CAFile    string // PEM roots of an https gateway; "" the system's
}

// Client asks one gateway.
type Client struct {
	opts Options
	base *url.URL
	http *http.Client
}

const (
	connectTimeout = 5 * time.Second
	answerTimeout  = 30 * time.Second // besides the time that a request is held
	maxToken       = 4 << 10
	maxFailure     = 4 << 10
)

// New returns a client. It asks nothing yet.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fault.New(fault.CodeGateway, "%q is no address of a gateway, as http://openshell-gateway:8080", o.URL)
	}
	t := &http.Transport{
		Proxy:       nil, // the gateway is the proxy
		DialContext: (&net.Dialer{Timeout: connectTimeout}).DialContext, TLSHandshakeTimeout: connectTimeout,
		MaxIdleConnsPerHost: 2,
	}
	if o.CAFile != "" {
		if t.TLSClientConfig, err = roots(o.CAFile); err != nil {
			return nil, err
		}
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{opts: o, base: &url.URL{Scheme: u.Scheme, Host: u.Host}, http: &http.Client{Transport: t, CheckRedirect: stay}}, nil
}

func roots(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.New(fault.CodeGateway, "roots of the gateway: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.New(fault.CodeGateway, "%s holds no certificate", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}

// token reads the token.
func (c *Client) token() (string, error) {
	f, err := os.Open(c.opts.TokenFile)
	if err != nil {
		return "", fault.New(fault.CodeIdentity, "the sandbox's token: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken))
	if err != nil {
		return "", fault.New(fault.CodeIdentity, "the sandbox's token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \t\r\n\x00") {
		return "", fault.New(fault.CodeIdentity, "%s holds no token", c.opts.TokenFile)
	}
	return token, nil
}

// do sends a request with the token.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if err != nil {
		return nil, fault.New(fault.CodeGateway, "%s: %w", c.base, err)
	}
	return resp, nil
}

// refused is an answer that is not what was asked for.
type refused struct {
	status int
	text   string
	after  time.Duration // Retry-After
}

// Error returns the status and what the gateway says.
func (r *refused) Error() string {
	if r.text == "" {
		return fmt.Sprintf("the gateway answers %d %s", r.status, http.StatusText(r.status))
	}
	return fmt.Sprintf("the gateway answers %d: %s", r.status, r.text)
}

// failure reads what the gateway says of its refusal.
func failure(resp *http.Response) error {
	r := &refused{status: resp.StatusCode}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxFailure)) // the status is enough
	var said struct{ Code, Message string }
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		r.text = fmt.Sprintf("%q", said.Message)
	}
	if d, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil && d > 0 {
		r.after = min(d, maxPause)
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return &fault.Error{Code: fault.CodeIdentity, Err: r}
	case http.StatusNotFound:
		return &fault.Error{Code: fault.CodeNoPolicy, Err: r}
	}
	return &fault.Error{Code: fault.CodeGateway, Err: r}
}

// The pauses between tries: the first, doubled up to the last.
const (
	minPause = 100 * time.Millisecond
	maxPause = 10 * time.Second
)

// pause is how long to wait before another try.
func pause(err error, last time.Duration) time.Duration {
	var r *refused
	if errors.As(err, &r) && r.after > 0 {
		return r.after
	}
	return min(max(2*last, minPause), maxPause)
}
