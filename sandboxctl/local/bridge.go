//go:build linux

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
	"github.com/openshell-policy/openshell/schemas"
)

// Identify says which program opened a connection of the sandbox, by its two
// ends as the sandbox sees them; "" where it is not known.
type Identify func(client, server netip.AddrPort) (binary string, ancestors []string)

// bridge passes the sandbox's connections on to the gateway.
type bridge struct {
	socket   string // the gateway's, for this sandbox's supervisor
	identify Identify
	names    *names
	active   atomic.Int64 // nanoseconds since 1970 at which bytes last went through

	wg sync.WaitGroup
}

// dnsPort is where the sandbox's programs ask for names.
const dnsPort = 53

// serve accepts on one listener until it is closed.
func (b *bridge) serve(ctx context.Context, l ns.Listener, ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of descriptors, for example
			continue
		}
		b.wg.Add(1)
		go func() {
			defer b.wg.Done()
			defer c.Close()
			stop := context.AfterFunc(ctx, func() { c.Close() })
			defer stop()
			b.touch()
			if l.Any && l.Port == dnsPort {
				b.names.serve(c)
				return
			}
			b.pass(c.(*net.TCPConn), l.Any)
		}()
	}
}

func (b *bridge) touch() { b.active.Store(time.Now().UnixNano()) }

// pass opens the gateway's socket, states who connects and where to, and copies
// both ways. Where the gateway does not answer the connection is closed: nothing
// else leads out.
func (b *bridge) pass(c *net.TCPConn, transparent bool) {
	up, err := net.Dial("unix", b.socket)
	if err != nil {
		return
	}
	defer up.Close()
	statement := schemas.Statement{}
	if b.identify != nil {
		statement.Binary, statement.Ancestors = b.identify(endpoint(c.RemoteAddr()), endpoint(c.LocalAddr()))
	}
	if transparent {
		statement.Destination = endpoint(c.LocalAddr()).String()
	}
	line, err := statement.Append(nil)
	if err != nil {
		return
	}
	if _, err := up.Write(line); err != nil {
		return
	}
	b.splice(c, up.(*net.UnixConn))
}

// halfCloser is a connection whose one direction can end before the other.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// splice copies both ways until both have ended.
func (b *bridge) splice(a, z halfCloser) {
	var wg sync.WaitGroup
	one := func(dst, src halfCloser) {
		defer wg.Done()
		_, _ = io.Copy(dst, watched{src, b})
		_ = dst.CloseWrite()
	}
	wg.Add(2)
	go one(a, z)
	go one(z, a)
	wg.Wait()
}

// watched notes that bytes go through. It hides the connection's own ways to
// copy, none of which crosses between a TCP and a Unix socket.
type watched struct {
	src io.Reader
	b   *bridge
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.src.Read(p)
	w.b.touch()
	return n, err
}

// endpoint is an address without its IPv4-in-IPv6 form.
func endpoint(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// listeners serves every listener of a sandbox.
func (b *bridge) listeners(ctx context.Context, all map[ns.Listener]net.Listener) error {
	if len(all) == 0 {
		return fmt.Errorf("the sandbox has no listeners")
	}
	for l, ln := range all {
		go b.serve(ctx, l, ln)
	}
	return nil
}
