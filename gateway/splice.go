package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// splice copies both ways and returns the bytes that came from upstream. A side
// that has said everything may still be answered: its end is passed on, and the
// other way goes on, as long as something comes within limits.idle_timeout. After
// an error both ways end.
func (g *Gateway) splice(client, up net.Conn, n *tenant) (down int64) {
	idle := g.cfg.Limits.IdleTimeout
	var wg sync.WaitGroup
	way := func(to, from net.Conn, bytes *int64) {
		read := n.slowedConn(g.work, from)
		var err error
		if *bytes, err = copyWay(to, from, read, idle); err != nil || closeWrite(to) != nil {
			from.Close()
			to.Close()
			return
		}
		_ = to.SetReadDeadline(time.Now().Add(idle))
	}
	var upBytes int64
	wg.Go(func() { way(up, client, &upBytes) })
	wg.Go(func() { way(client, up, &down) })
	wg.Wait()
	client.Close()
	up.Close()
	return down
}

// copyWay copies until the end. A deadline that passes while bytes come is moved.
func copyWay(to io.Writer, from net.Conn, read io.Reader, idle time.Duration) (sum int64, err error) {
	for {
		n, err := io.Copy(to, read)
		sum += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sum, err
		}
		_ = from.SetReadDeadline(time.Now().Add(idle))
	}
}

// closeWrite ends what is sent on a connection; what cannot be ended by half is an
// error.
func closeWrite(c net.Conn) error {
	switch c := c.(type) {
	case *replayConn:
		return closeWrite(c.Conn)
	case *clientConn:
		return closeWrite(c.Conn)
	case *tls.Conn:
		return c.CloseWrite()
	case interface{ CloseWrite() error }: // TCP, Unix sockets
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}
