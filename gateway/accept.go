package gateway

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// connFeed is a listener to which connections are given that came another way:
// out of tunnels, or after a statement of who connects. One server for all of
// them returns when it is told to; a server for each never would.
type connFeed struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newConnFeed() *connFeed {
	return &connFeed{conns: make(chan net.Conn), done: make(chan struct{})}
}

// give hands a connection to the server, which closes it.
func (f *connFeed) give(c net.Conn) {
	select {
	case f.conns <- c:
	case <-f.done:
		c.Close()
	}
}

// Accept returns the next connection.
func (f *connFeed) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (f *connFeed) Close() error {
	f.once.Do(func() { close(f.done) })
	return nil
}

// Addr names the listener in messages.
func (f *connFeed) Addr() net.Addr { return feedAddr{} }

type feedAddr struct{}

// Network names the kind of the address.
func (feedAddr) Network() string { return "tunnel" }

// String names the address.
func (feedAddr) String() string { return "tunnel" }

// acceptEach serves each connection of a listener that does not speak HTTP from
// its first byte, until the listener is closed.
func (g *Gateway) acceptEach(l net.Listener, socket string, serve func(*clientConn)) {
	for wait := time.Duration(0); ; {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors: others will be closed
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			g.log.Warn("accept", "listener", l.Addr(), "error", err)
			time.Sleep(wait)
			continue
		}
		wait = 0
		if cc, ok := g.admit(c, socket); ok {
			g.tunnels.Go(func() { serve(cc) })
		}
	}
}

// admit counts a connection; one too many is closed at once.
func (g *Gateway) admit(c net.Conn, socket string) (*clientConn, bool) {
	cc, ok := g.conns.add(c, socket)
	if !ok {
		c.Close()
		g.metrics.refusedConns.Inc()
	}
	return cc, ok
}

// What the listeners speak that are not the proxy's or the admin API's.
const (
	speaksSOCKS    = "socks"
	speaksAnything = "transparent"
)

func (g *Gateway) listenOthers() error {
	g.others = map[string]net.Listener{}
	for speaks, address := range map[string]string{speaksSOCKS: g.cfg.Listen.SOCKS, speaksAnything: g.cfg.Listen.Transparent} {
		if address == "" {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("%s listener: %w", speaks, err)
		}
		g.others[speaks] = l
	}
	return nil
}

func (g *Gateway) serveOthers() {
	if l := g.others[speaksSOCKS]; l != nil {
		go g.acceptEach(l, "", g.serveSOCKS)
	}
	if l := g.others[speaksAnything]; l != nil {
		go g.ServeTransparent(l, "")
	}
}

func (g *Gateway) otherAddr(speaks string) string {
	if l := g.others[speaks]; l != nil {
		return l.Addr().String()
	}
	return ""
}

// SOCKSAddr is where SOCKS 5 is spoken, as host:port, or "".
func (g *Gateway) SOCKSAddr() string { return g.otherAddr(speaksSOCKS) }

// TransparentAddr is where connections are redirected to, as host:port, or "".
func (g *Gateway) TransparentAddr() string { return g.otherAddr(speaksAnything) }
