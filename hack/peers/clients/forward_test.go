package clients_test

import (
	"io"
	"net"
	"testing"

	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// forward makes a sandbox with a socket of its own the world's, and serves that
// socket at a TCP address, for clients that speak no Unix sockets.
func (w *world) forward(t *testing.T) string {
	t.Helper()
	box, err := w.g.CreateSandbox(adminapi.CreateSandbox{Policy: "p", Socket: true})
	if err != nil {
		t.Fatal(err)
	}
	w.box = box
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go join(c, box.Socket)
		}
	}()
	return l.Addr().String()
}

func join(c net.Conn, socket string) {
	defer c.Close()
	up, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer up.Close()
	go func() {
		_, _ = io.Copy(up, c) // ends with either side
		_ = up.(*net.UnixConn).CloseWrite()
	}()
	_, _ = io.Copy(c, up)
}
