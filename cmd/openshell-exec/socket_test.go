package main_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/openshell-policy/openshell/schemas"
)

// A Unix socket outside of what is writable cannot be connected to: who serves it
// may do anything.
func TestUnixSockets(t *testing.T) {
	for _, m := range modes() {
		t.Run("N04 socket outside/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			outside := filepath.Join(w.dir, "outside.sock")
			listener, err := net.Listen("unix", outside)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			if err := os.Chmod(outside, 0o777); err != nil {
				t.Fatal(err)
			}
			w.sh(`python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("DIR/outside.sock")'`).expect(t, 1, "PermissionError")
			w.expectDenial(schemas.CodeNotWritable)
			w.sh(`python3 -c '
import socket
s=socket.socket(socket.AF_UNIX); s.bind("WORK/s"); s.listen()
c=socket.socket(socket.AF_UNIX); c.connect("WORK/s"); print("connected")'`).expect(t, 0, "connected")
		})
	}
}
