package adminapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Bundle returns a bundle and its entity tag. With the tag of what the caller has
// the bundle is nil where it has not changed.
func (c *Client) Bundle(ctx context.Context, name, etag string) (bundle []byte, tag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/bundles/"+url.PathEscape(name), nil)
	if err != nil {
		return nil, "", err
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := c.send(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("gateway: %w", err)
	case resp.StatusCode == http.StatusNotModified:
		return nil, etag, nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", failure(resp.StatusCode, body)
	}
	return body, resp.Header.Get("ETag"), nil
}
