package adminapi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
)

// WithTLS sets how the client speaks TLS, for an https address, and returns it.
func (c *Client) WithTLS(cfg *tls.Config) *Client {
	if t, ok := c.http.Transport.(*http.Transport); ok {
		t.TLSClientConfig = cfg
	}
	return c
}

// Pinned trusts the certificate that stands first in a PEM text and no other,
// whatever names it has: for who reads it from the gateway's own disk.
func Pinned(text []byte) (*tls.Config, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no certificate in PEM")
	}
	want, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !s.PeerCertificates[0].Equal(want) {
				return errors.New("the gateway shows another certificate than its own")
			}
			return nil
		},
	}, nil
}

// inClear refuses to show the token to a network: http is for this machine.
func (c *Client) inClear(u *url.URL) error {
	if c.token == "" || u.Scheme != "http" || u.Hostname() == "localhost" {
		return nil
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("gateway: the token is not sent to %s in clear; use an https:// address", u.Host)
}
