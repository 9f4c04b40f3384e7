package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// leafLife is how long a leaf holds, and renewAfter (80 % of it) when a new one
// is minted.
const (
	leafLife   = 24 * time.Hour
	renewAfter = leafLife * 8 / 10
)

// maxCommonName is the bound of X.520 on a common name; a longer host is named
// by its SAN alone.
const maxCommonName = 64

// Leaves mints and keeps leaves: a large cache for hosts that policies name, and
// a small one of its own for all others, so that a sandbox cannot evict the
// first by asking for many names.
type Leaves struct {
	authority *Authority
	now       func() time.Time
	listed    *lru.Cache[string, leaf]
	unlisted  *lru.Cache[string, leaf]
	minting   singleflight.Group
}

type leaf struct {
	cert  *tls.Certificate
	renew time.Time
}

// NewLeaves returns empty caches. Now may be nil for the wall clock.
func NewLeaves(a *Authority, now func() time.Time) (*Leaves, error) {
	listed, err := lru.New[string, leaf](4096)
	if err != nil {
		return nil, err
	}
	unlisted, err := lru.New[string, leaf](128)
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Leaves{authority: a, now: now, listed: listed, unlisted: unlisted}, nil
}

// Cached tells whether a leaf for the host is there and needs no minting.
func (l *Leaves) Cached(host string, listed bool) bool {
	_, ok := l.fresh(l.cache(listed), host)
	return ok
}

// Get returns the leaf for a canonical host.
func (l *Leaves) Get(host string, listed bool) (*tls.Certificate, error) {
	cache := l.cache(listed)
	if c, ok := l.fresh(cache, host); ok {
		return c, nil
	}
	v, err, _ := l.minting.Do(host, func() (any, error) {
		if c, ok := l.fresh(cache, host); ok {
			return c, nil
		}
		now := l.now()
		c, err := l.authority.mint(host, now)
		if err != nil {
			return nil, err
		}
		cache.Add(host, leaf{cert: c, renew: now.Add(renewAfter)})
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*tls.Certificate), nil
}

func (l *Leaves) cache(listed bool) *lru.Cache[string, leaf] {
	if listed {
		return l.listed
	}
	return l.unlisted
}

func (l *Leaves) fresh(cache *lru.Cache[string, leaf], host string) (*tls.Certificate, bool) {
	c, ok := cache.Get(host)
	if !ok || !l.now().Before(c.renew) {
		return nil, false
	}
	return c.cert, true
}

func (a *Authority) mint(host string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make leaf key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(leafLife),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if len(host) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: host}
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign leaf for %q: %w", host, err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse leaf for %q: %w", host, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.der}, PrivateKey: key, Leaf: parsed}, nil
}
