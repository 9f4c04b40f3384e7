package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/openshell-policy/openshell/gateway/head"
	"github.com/openshell-policy/openshell/schemas"
)

// proxyListener counts what it accepts and reads heads strictly.
type proxyListener struct {
	net.Listener
	g      *Gateway
	socket string // sandbox whose own listener this is, or ""
}

// Accept returns the next connection; one too many is closed at once.
func (l *proxyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		cc, ok := l.g.conns.add(c, l.socket)
		if !ok {
			c.Close()
			l.g.metrics.refusedConns.Inc()
			continue
		}
		return l.g.readStrictly(cc), nil
	}
}

// readStrictly puts the head scanner over an accepted connection.
func (g *Gateway) readStrictly(cc *clientConn) *head.Conn {
	return head.NewConn(cc, head.Options{
		MaxBytes: g.cfg.Limits.HeaderBytes,
		Timeout:  g.cfg.Limits.HeaderTimeout,
		Owner:    cc,
		OnAbort: func(f *head.Fault) {
			g.recordClosed(closedConn{sandbox: g.owner(cc), method: f.Method, code: schemas.CodeBadRequest, detail: f.Detail})
		},
	})
}

// listenAll opens the proxy and admin listeners and tells the dial guard which
// ports are the gateway's own.
func (g *Gateway) listenAll() error {
	var err error
	if g.proxyLn, err = net.Listen("tcp", g.cfg.Listen.Proxy); err != nil {
		return fmt.Errorf("proxy listener: %w", err)
	}
	if g.adminLn, err = listenAdmin(g.cfg.Listen.Admin); err != nil {
		g.proxyLn.Close()
		return fmt.Errorf("admin listener: %w", err)
	}
	var own []netip.AddrPort
	for _, l := range []net.Listener{g.proxyLn, g.adminLn} {
		if ap, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			own = append(own, ap)
		}
	}
	g.guard.SetListeners(own)
	return nil
}

// listenAdmin listens on a Unix socket with mode 0600 or on a loopback address:
// the admin API is not for the network.
func listenAdmin(address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenSocket(path)
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("%q is not a loopback address", address)
	}
	return net.Listen("tcp", address)
}

// listenSocket makes a socket that only this user can connect to. One left by a
// process that died is replaced; one that answers is not.
func listenSocket(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("%q is in use", path)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// openSocket serves a sandbox's own listener and returns its path.
func (g *Gateway) openSocket(id string) (string, error) {
	path := filepath.Join(g.cfg.StateDir, "sockets", id+".sock")
	l, err := listenSocket(path)
	if err != nil {
		return "", fmt.Errorf("socket of sandbox %s: %w", id, err)
	}
	g.socketsMu.Lock()
	g.sockets[id] = l
	g.socketsMu.Unlock()
	go func() {
		err := g.serveProxy(&proxyListener{Listener: l, g: g, socket: id})
		g.log.Debug("socket closed", "sandbox", id, "reason", err)
	}()
	return path, nil
}

// closeSocket ends a sandbox's own listener, if it has one.
func (g *Gateway) closeSocket(id string) {
	g.socketsMu.Lock()
	defer g.socketsMu.Unlock()
	if l := g.sockets[id]; l != nil {
		l.Close()
		delete(g.sockets, id)
	}
}

// reopenSockets serves the sockets of the sandboxes that outlived a restart of
// the gateway.
func (g *Gateway) reopenSockets() error {
	for _, s := range g.registry.List(false) {
		if s.Socket == "" {
			continue
		}
		if _, err := g.openSocket(s.ID); err != nil {
			return err
		}
	}
	return nil
}
