package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// perAddress bounds the attempt at one address of a name that has several.
const perAddress = 5 * time.Second

// Dial connects to host and port by an address that passes Check. It returns a
// *Refused when the name has addresses, but none that may be dialled.
func (g *Guard) Dial(ctx context.Context, host string, port int, permit []netip.Prefix) (net.Conn, error) {
	usable, err := g.Usable(ctx, host, port, permit)
	if err != nil {
		return nil, err
	}
	return g.dialAny(ctx, usable, permit)
}

// Usable returns the addresses of a host that pass Check, for who has another
// make the connection. Its errors are those of Dial.
func (g *Guard) Usable(ctx context.Context, host string, port int, permit []netip.Prefix) ([]netip.AddrPort, error) {
	addrs, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var refused []*Refused
	var usable []netip.AddrPort
	for _, a := range addrs {
		ap := netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(port))
		if r := g.Check(ap, permit); r == nil {
			usable = append(usable, ap)
		} else {
			r.Host = host
			refused = append(refused, r)
		}
	}
	switch {
	case len(usable) == 0 && len(refused) > 0:
		return nil, refused[0]
	case len(usable) == 0:
		return nil, fmt.Errorf("%q has no address", host)
	}
	for _, r := range refused {
		if g.config.Dropped != nil {
			g.config.Dropped(r)
		}
	}
	return usable, nil
}

func (g *Guard) dialAny(ctx context.Context, addrs []netip.AddrPort, permit []netip.Prefix) (net.Conn, error) {
	var err error
	for i, ap := range addrs {
		timeout := perAddress
		if i == len(addrs)-1 {
			timeout *= 2
		}
		d := net.Dialer{Timeout: timeout, ControlContext: g.control(permit)}
		var c net.Conn
		if c, err = d.DialContext(ctx, "tcp", ap.String()); err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// control checks what the kernel is really asked to connect to.
func (g *Guard) control(permit []netip.Prefix) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dial guard: %w", err)
		}
		if r := g.Check(ap, permit); r != nil {
			return r
		}
		return nil
	}
}

// lookup resolves a canonical host once: an IP literal is itself, then the
// static table, then DNS.
func (g *Guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if addrs, ok := g.config.Resolve[host]; ok {
		return addrs, nil
	}
	// A trailing dot keeps the resolver from trying search domains, which would
	// let the local network decide what a name of the policy means.
	addrs, err := g.resolver.LookupNetIP(ctx, "ip", host+".")
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return nil, fmt.Errorf("resolve %q: %s", host, dns.Err)
	}
	return addrs, err
}
