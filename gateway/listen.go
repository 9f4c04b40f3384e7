package gateway

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

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
		if cc, ok := l.g.admit(c, l.socket); ok {
			return l.g.readStrictly(cc, cc), nil
		}
	}
}

// readStrictly puts the head scanner over an accepted connection, or over what
// replays its first bytes.
func (g *Gateway) readStrictly(c net.Conn, cc *clientConn) *head.Conn {
	return head.NewConn(c, head.Options{
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
	if g.adminLn, err = listenAdmin(g.cfg.Listen.Admin, g.cfg.Admin); err != nil {
		g.proxyLn.Close()
		return fmt.Errorf("admin listener: %w", err)
	}
	if err := g.listenOthers(); err != nil {
		return errors.Join(err, g.proxyLn.Close(), g.adminLn.Close())
	}
	var own []netip.AddrPort
	for _, l := range append([]net.Listener{g.proxyLn, g.adminLn}, slices.Collect(maps.Values(g.others))...) {
		if ap, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
			own = append(own, ap)
		}
	}
	g.guard.SetListeners(own)
	return nil
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
	return path, g.openAttested(id, path)
}

// closeSocket ends a sandbox's own listener, if it has one.
func (g *Gateway) closeSocket(id string) {
	g.socketsMu.Lock()
	defer g.socketsMu.Unlock()
	for _, name := range []string{id, id + AttestedSuffix} {
		if l := g.sockets[name]; l != nil {
			l.Close()
			delete(g.sockets, name)
		}
	}
}

func (g *Gateway) hasSocket(id string) bool {
	g.socketsMu.Lock()
	defer g.socketsMu.Unlock()
	return g.sockets[id] != nil
}

// reopenSockets serves the sockets of the sandboxes that outlived a restart of
// the gateway.
func (g *Gateway) reopenSockets() error {
	for _, s := range g.registry.List(false) {
		if s.Socket == "" || g.hasSocket(s.ID) { // made since the admin API is served
			continue
		}
		if _, err := g.openSocket(s.ID); err != nil {
			return err
		}
	}
	return nil
}
