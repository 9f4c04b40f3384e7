package guard

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
)

// Config is what the operator sets.
type Config struct {
	// AllowPrivate are ranges that every rule may reach.
	AllowPrivate []netip.Prefix
	// AllowLoopback lets the gateway dial this host, but for its own listeners.
	// For tests and local development.
	AllowLoopback bool
	// Resolve answers for these names instead of DNS. For demonstrations and
	// tests.
	Resolve map[string][]netip.Addr
	// Dropped is told of each address of a name that was left out while others of
	// the name were used. Nil is told nothing.
	Dropped func(*Refused)
}

// Guard checks and dials addresses. Use New.
type Guard struct {
	config    Config
	classes   *classifier
	resolver  *net.Resolver
	local     []netip.Addr // of this machine's interfaces
	listeners atomic.Pointer[[]netip.AddrPort]
}

// New reads the addresses of this machine, which are refused like any other of
// the gateway's own.
func New(cfg Config) (*Guard, error) {
	g := &Guard{config: cfg, classes: newClassifier(), resolver: net.DefaultResolver}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read interface addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			g.local = append(g.local, p.Addr().Unmap().WithZone(""))
		}
	}
	return g, nil
}

// SetListeners tells which ports of this machine are the gateway's own.
func (g *Guard) SetListeners(addrs []netip.AddrPort) { g.listeners.Store(&addrs) }

// Refused is why an address was not dialled.
type Refused struct {
	Host string
	Addr netip.Addr
	Why  string
}

// Error names the host, the address and the reason.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s resolves to %s, which is %s", r.Host, r.Addr, r.Why)
}

// Check tells whether the address may be dialled; permit are the private ranges
// that the deciding rule consents to.
func (g *Guard) Check(ap netip.AddrPort, permit []netip.Prefix) *Refused {
	addr := ap.Addr()
	refuse := func(why string) *Refused { return &Refused{Addr: addr.WithZone(""), Why: why} }
	plain := embedded(addr)
	if g.isOwn(plain, ap.Port()) {
		return refuse("the gateway itself")
	}
	switch g.classes.class(addr) {
	case Never:
		return refuse("never allowed")
	case Loopback:
		if !g.config.AllowLoopback {
			return refuse("loopback")
		}
	case Private:
		for _, a := range plain {
			if g.classes.one(a) == Private && !contains(permit, a) && !contains(g.config.AllowPrivate, a) {
				return refuse("private")
			}
		}
	}
	return nil
}

// isOwn tells the gateway's listeners, and every other address of this machine
// but loopback, which has a flag of its own.
func (g *Guard) isOwn(addrs []netip.Addr, port uint16) bool {
	for _, a := range addrs {
		if !a.IsLoopback() {
			if slices.Contains(g.local, a) {
				return true
			}
			continue
		}
		if listeners := g.listeners.Load(); listeners != nil {
			for _, l := range *listeners {
				if l.Port() == port && (l.Addr().IsLoopback() || l.Addr().IsUnspecified()) {
					return true
				}
			}
		}
	}
	return false
}
