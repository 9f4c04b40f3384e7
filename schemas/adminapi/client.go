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

	"github.com/openshell-policy/openshell/schemas"
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
// "host:port" or an http URL. The token is sent as a bearer token.
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

// Create makes a sandbox.
func (c *Client) Create(ctx context.Context, in CreateSandbox) (CreatedSandbox, error) {
	return call[CreatedSandbox](ctx, c, http.MethodPost, "/v1/sandboxes", in)
}

// List returns the running sandboxes, or with all also those that ended.
func (c *Client) List(ctx context.Context, all bool) ([]Sandbox, error) {
	l, err := call[SandboxList](ctx, c, http.MethodGet, "/v1/sandboxes?all="+strconv.FormatBool(all), nil)
	return l.Sandboxes, err
}

// Get returns one sandbox by its id or a unique prefix.
func (c *Client) Get(ctx context.Context, id string) (Sandbox, error) {
	return call[Sandbox](ctx, c, http.MethodGet, "/v1/sandboxes/"+url.PathEscape(id), nil)
}

// End ends a sandbox: its token and socket stop working and its connections are
// closed. The exit code may be nil.
func (c *Client) End(ctx context.Context, id, status string, exitCode *int) (Sandbox, error) {
	q := url.Values{"status": {status}}
	if exitCode != nil {
		q.Set("exit_code", strconv.Itoa(*exitCode))
	}
	return call[Sandbox](ctx, c, http.MethodDelete, "/v1/sandboxes/"+url.PathEscape(id)+"?"+q.Encode(), nil)
}

// SetPolicy binds a sandbox to another policy.
func (c *Client) SetPolicy(ctx context.Context, id, policy string) (PolicyChange, error) {
	return call[PolicyChange](ctx, c, http.MethodPut, "/v1/sandboxes/"+url.PathEscape(id)+"/policy", SetPolicy{Policy: policy})
}

// Policies describes the generation in force.
func (c *Client) Policies(ctx context.Context) (PolicyList, error) {
	return call[PolicyList](ctx, c, http.MethodGet, "/v1/policies", nil)
}

// Policy describes one policy.
func (c *Client) Policy(ctx context.Context, name string) (PolicyDetail, error) {
	return call[PolicyDetail](ctx, c, http.MethodGet, "/v1/policies/"+url.PathEscape(name), nil)
}

// Apply stores a policy's YAML and returns when it is in force. The name may be
// empty; it is used in diagnostics.
func (c *Client) Apply(ctx context.Context, name string, yaml []byte) (Applied, error) {
	return call[Applied](ctx, c, http.MethodPut, "/v1/policies?name="+url.QueryEscape(name), yaml)
}

// Decide asks what the gateway would decide.
func (c *Client) Decide(ctx context.Context, in DecideRequest) (schemas.Decision, error) {
	return call[schemas.Decision](ctx, c, http.MethodPost, "/v1/decide", in)
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
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("gateway: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
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
