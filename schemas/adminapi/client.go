package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxAnswer bounds what the client reads of an answer.
const maxAnswer = 64 << 20

// Client calls one gateway's admin API. Use NewClient.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient returns a client for an address that is "unix:/path/to/socket",
// "host:port" (http) or an http or https URL. The token is sent as a bearer token,
// in clear to this machine only.
func NewClient(address, token string) *Client {
	c := &Client{base: strings.TrimSuffix(address, "/"), token: token}
	transport := &http.Transport{}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	} else if !strings.Contains(address, "://") {
		c.base = "http://" + c.base
	}
	c.http = &http.Client{Transport: transport}
	return c
}

// Ready asks whether the gateway is ready; the answer of one that is not is no
// error.
func (c *Client) Ready(ctx context.Context) (Readiness, error) {
	var r Readiness
	status, body, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return r, err
	}
	if status != http.StatusOK && status != http.StatusServiceUnavailable {
		return r, failure(status, body)
	}
	return r, json.Unmarshal(body, &r)
}

// call sends one request; []byte goes as YAML, anything else as JSON.
func call[Out any](ctx context.Context, c *Client, method, path string, in any) (Out, error) {
	var out Out
	status, body, err := c.do(ctx, method, path, in)
	if err != nil {
		return out, err
	}
	if status/100 != 2 {
		return out, failure(status, body)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("gateway answer: %w", err)
	}
	return out, nil
}

func (c *Client) do(ctx context.Context, method, path string, in any) (int, []byte, error) {
	body, kind, err := encodeBody(in)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.send(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}

// send adds the credentials.
func (c *Client) send(req *http.Request) (*http.Response, error) {
	if err := c.inClear(req.URL); err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	return resp, nil
}

func encodeBody(in any) (body []byte, kind string, err error) {
	switch v := in.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return v, "application/yaml", nil
	}
	body, err = json.Marshal(in)
	return body, "application/json", err
}

// failure turns an error answer into an *Error.
func failure(status int, body []byte) error {
	e := &Error{}
	if err := json.Unmarshal(body, e); err != nil || e.Message == "" {
		e.Message = fmt.Sprintf("gateway answered %d %s", status, http.StatusText(status))
	}
	e.Status = status
	return e
}

// query holds the parameters of a request that are given.
type query url.Values

func (q query) text(name, value string) {
	if value != "" {
		q[name] = []string{value}
	}
}

func (q query) flag(name string, value bool) {
	if value {
		q[name] = []string{"true"}
	}
}

func (q query) optional(name string, value *int) {
	if value != nil {
		q[name] = []string{strconv.Itoa(*value)}
	}
}

func (q query) encode() string {
	if len(q) == 0 {
		return ""
	}
	return "?" + url.Values(q).Encode()
}
