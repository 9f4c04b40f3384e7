package gateway

import (
	"context"
	"net/netip"
	"time"

	"github.com/openshell-policy/openshell/schemas/canon"
)

// Peer is the program that opened a connection, by the word of somebody whom
// sandboxed processes cannot imitate.
type Peer struct {
	Binary    string   // absolute path of the executable; "" unknown
	Ancestors []string // its parents' executables, the nearest first
}

// Connection names an accepted connection for whoever knows what opened it.
type Connection struct {
	Sandbox string
	Client  netip.AddrPort // where it came from; the zero value for a Unix socket
	Gateway netip.AddrPort // where it was accepted
}

// Peers knows which program opened a connection: the supervisor of a sandbox, who
// saw its connect(2). It is asked once for each connection, when it is known whose
// the connection is. Without an answer the binary is unknown, which fails allow
// rules with binaries and matches deny rules.
type Peers interface {
	Peer(ctx context.Context, c Connection) (Peer, bool)
}

// Sources knows whose a source address is, as an informer of Pods does.
type Sources interface {
	// Sandbox returns the id of the sandbox at an address.
	Sandbox(addr netip.Addr) (id string, ok bool)
}

// askPeer bounds the wait for Peers.
const askPeer = time.Second

// peerOf returns who opened the connection of a sandbox that is known by now:
// what its supervisor stated, else what Deps.Peers or the kernel says.
func (g *Gateway) peerOf(cc *clientConn) Peer {
	cc.peerOnce.Do(func() {
		switch {
		case cc.attested:
		case g.deps.Peers != nil:
			ctx, cancel := context.WithTimeout(g.work, askPeer)
			defer cancel()
			if p, ok := g.deps.Peers.Peer(ctx, cc.describe()); ok {
				cc.peer = p
			}
		default:
			cc.peer, _ = kernelPeer(cc.Conn, g.cfg.Identity.TrustedUIDs)
		}
	})
	return cc.peer
}

func (c *clientConn) describe() Connection {
	addr := func(s string) netip.AddrPort {
		ap, _ := netip.ParseAddrPort(s) // a socket's is none
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return Connection{Sandbox: c.sandbox, Client: addr(c.RemoteAddr().String()), Gateway: addr(c.LocalAddr().String())}
}

// fill puts the program into a request that is about to be decided.
func (p Peer) fill(r *canon.Request) { r.Binary, r.Ancestors = p.Binary, p.Ancestors }
