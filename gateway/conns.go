package gateway

import (
	"container/list"
	"context"
	"net"
	"sync"
	"time"
)

// clientConn is one accepted connection. Whatever is layered over it (TLS, a
// tunnel) closes it last, so what must happen once at the end hangs here.
type clientConn struct {
	net.Conn
	set    *connSet
	socket string // id of the sandbox whose own listener accepted it, or ""

	attested bool // peer was stated by the sandbox's supervisor
	peer     Peer
	peerOnce sync.Once

	waiting *list.Element // in set.waiting, until it is known whose it is

	mu      sync.Mutex
	sandbox string // whose it is, once a request said so
	tunnel  bool   // counts as one of the sandbox's tunnels
	closed  bool
	onClose []func()
}

// connSet counts connections, in all and by sandbox.
type connSet struct {
	mu        sync.Mutex
	max       int
	perID     int
	perTunnel int            // most tunnels of one sandbox
	tunnels   map[string]int // by sandbox
	all       map[*clientConn]struct{}
	waiting   list.List // those that have not said whose they are, the oldest first
	bySandbox map[string]map[*clientConn]struct{}
	ended     func(sandbox string) // called when a sandbox has ended
}

func newConnSet(l Limits) *connSet {
	return &connSet{
		max: l.Connections, perID: l.ConnectionsPerSandbox, perTunnel: l.TunnelsPerSandbox, tunnels: map[string]int{},
		all: map[*clientConn]struct{}{}, bySandbox: map[string]map[*clientConn]struct{}{},
	}
}

// add admits a connection. When there are too many in all, the one that has kept
// silent for longest about whose it is makes room: the caps of sandboxes do not
// count it, and one sandbox must not keep the others out. Without any such one
// add returns false.
func (s *connSet) add(c net.Conn, socket string) (added *clientConn, ok bool) {
	s.mu.Lock()
	var evicted *clientConn
	if len(s.all) >= s.max {
		if evicted = s.oldestWaiting(); evicted == nil {
			s.mu.Unlock()
			return nil, false
		}
		s.forget(evicted)
	}
	cc := &clientConn{Conn: c, set: s, socket: socket}
	s.all[cc] = struct{}{}
	cc.waiting = s.waiting.PushBack(cc)
	s.mu.Unlock()
	if evicted != nil {
		evicted.Close()
	}
	return cc, true
}

func (s *connSet) oldestWaiting() *clientConn {
	if e := s.waiting.Front(); e != nil {
		return e.Value.(*clientConn)
	}
	return nil
}

// forget takes a connection out of the count. The caller holds the lock.
func (s *connSet) forget(c *clientConn) {
	delete(s.all, c)
	s.known(c)
}

// known ends a connection's waiting. The caller holds the lock.
func (s *connSet) known(c *clientConn) {
	if c.waiting != nil {
		s.waiting.Remove(c.waiting)
		c.waiting = nil
	}
}

// claim says whose connection it is. It returns false with full when the sandbox
// holds as many as it may, and false without when the connection is another's.
func (c *clientConn) claim(sandbox string) (ok, full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sandbox != "" || c.closed {
		return c.sandbox == sandbox, false
	}
	s := c.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bySandbox[sandbox]) >= s.perID {
		return false, true
	}
	if s.bySandbox[sandbox] == nil {
		s.bySandbox[sandbox] = map[*clientConn]struct{}{}
	}
	s.bySandbox[sandbox][c] = struct{}{}
	s.known(c)
	c.sandbox = sandbox
	return true, false
}

// becomeTunnel counts a claimed connection as a tunnel; it returns false when its
// sandbox holds as many as it may.
func (c *clientConn) becomeTunnel() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.tunnel {
		return !c.closed
	}
	s := c.set
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tunnels[c.sandbox] >= s.perTunnel {
		return false
	}
	s.tunnels[c.sandbox]++
	c.tunnel = true
	return true
}

// whenClosed calls fn once the connection is closed, at once if it is.
func (c *clientConn) whenClosed(fn func()) {
	c.mu.Lock()
	if !c.closed {
		c.onClose = append(c.onClose, fn)
		fn = nil
	}
	c.mu.Unlock()
	if fn != nil {
		fn()
	}
}

// Close closes the connection and lets go of everything that hangs on it.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	c.mu.Lock()
	fns, sandbox, tunnel := c.onClose, c.sandbox, c.tunnel
	again := c.closed
	c.closed, c.onClose = true, nil
	c.mu.Unlock()
	if again {
		return err
	}
	c.set.remove(c, sandbox, tunnel)
	for _, fn := range fns {
		fn()
	}
	return err
}

func (s *connSet) remove(c *clientConn, sandbox string, tunnel bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(c)
	if tunnel {
		if s.tunnels[sandbox]--; s.tunnels[sandbox] == 0 {
			delete(s.tunnels, sandbox)
		}
	}
	if mine := s.bySandbox[sandbox]; mine != nil {
		delete(mine, c)
		if len(mine) == 0 {
			delete(s.bySandbox, sandbox)
		}
	}
}

// closeSandbox closes every connection of a sandbox that has ended.
func (s *connSet) closeSandbox(sandbox string) {
	for _, c := range s.of(sandbox) {
		c.Close()
	}
	s.ended(sandbox)
}

// waitEmpty waits until every connection is closed or the context ends: HTTP/2
// connections and spliced tunnels end on their own.
func (s *connSet) waitEmpty(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.count() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// closeAll closes every connection, at the end of draining.
func (s *connSet) closeAll() {
	s.mu.Lock()
	list := make([]*clientConn, 0, len(s.all))
	for c := range s.all {
		list = append(list, c)
	}
	s.mu.Unlock()
	for _, c := range list {
		c.Close()
	}
}

func (s *connSet) of(sandbox string) []*clientConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*clientConn, 0, len(s.bySandbox[sandbox]))
	for c := range s.bySandbox[sandbox] {
		list = append(list, c)
	}
	return list
}

// count is the number of open connections.
func (s *connSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}
