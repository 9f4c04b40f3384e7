package hello_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openshell-policy/openshell/gateway/hello"
)

// clientHello returns what crypto/tls sends first.
func clientHello(tb testing.TB, cfg *tls.Config) []byte {
	tb.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go tls.Client(client, cfg).Handshake()
	_, raw, err := hello.Peek(server)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// cut splits one handshake record into records of at most n bytes.
func cut(record []byte, n int) []byte {
	var out []byte
	for body := record[5:]; len(body) > 0; {
		k := min(n, len(body))
		out = append(out, 22, 3, 1, byte(k>>8), byte(k))
		out = append(out, body[:k]...)
		body = body[k:]
	}
	return out
}

func TestPeek(t *testing.T) {
	raw := clientHello(t, &tls.Config{ServerName: "a.test", NextProtos: []string{"h2", "http/1.1"}})
	want := hello.Hello{ServerName: "a.test", Protocols: []string{"h2", "http/1.1"}}
	for _, n := range []int{1 << 14, 100, 20} {
		wire := append(cut(raw, n), "the rest"...)
		got, read, err := hello.Peek(iotest.OneByteReader(bytes.NewReader(wire)))
		if err != nil {
			t.Fatalf("records of %d: %v", n, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if string(wire[len(read):]) != "the rest" {
			t.Errorf("records of %d: read %d bytes of %d", n, len(read), len(wire))
		}
	}
}

func TestPeekWithoutServerName(t *testing.T) {
	raw := clientHello(t, &tls.Config{InsecureSkipVerify: true})
	got, _, err := hello.Peek(bytes.NewReader(raw))
	if err != nil || got.ServerName != "" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPeekRefuses(t *testing.T) {
	raw := clientHello(t, &tls.Config{ServerName: "a.test"})
	serverHello := bytes.Clone(raw)
	serverHello[5] = 2
	tests := []struct {
		name string
		wire []byte
		want error
	}{
		{"ssh", []byte("SSH-2.0-x\r\n"), hello.ErrNotTLS},
		{"http", []byte("GET / HTTP/1.1\r\n"), hello.ErrNotTLS},
		{"one byte", []byte("S"), hello.ErrNotTLS},
		{"nothing", nil, io.EOF},
		{"half", raw[:40], io.ErrUnexpectedEOF},
		{"server hello", serverHello, hello.ErrMalformed},
		{"empty record", []byte{22, 3, 1, 0, 0}, hello.ErrMalformed},
		{"huge record", []byte{22, 3, 1, 0xff, 0xff}, hello.ErrMalformed},
		{"SSL 2", []byte{22, 2, 1, 0, 4, 1, 0, 0, 0}, hello.ErrNotTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := hello.Peek(bytes.NewReader(tt.wire))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// FuzzPeek holds that nothing is read past the hello, that the bytes read are
// returned, and that crypto/tls sees the same server name.
func FuzzPeek(f *testing.F) {
	f.Add(clientHello(f, &tls.Config{ServerName: "a.test", NextProtos: []string{"h2"}}))
	f.Add(cut(clientHello(f, &tls.Config{ServerName: "b.test"}), 30))
	f.Add([]byte("SSH-2.0-x\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, read, err := hello.Peek(bytes.NewReader(wire))
		if !bytes.HasPrefix(wire, read) {
			t.Fatalf("read %q of %q", read, wire)
		}
		if err != nil {
			return
		}
		if name, ok := standardName(read); ok && name != got.ServerName {
			t.Errorf("server name %q, crypto/tls %q", got.ServerName, name)
		}
	})
}

var errSeen = errors.New("seen")

func standardName(raw []byte) (name string, ok bool) {
	cfg := &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		name, ok = info.ServerName, true
		return nil, errSeen
	}}
	_ = tls.Server(onlyRead{bytes.NewReader(raw)}, cfg).Handshake()
	return name, ok
}

// onlyRead is a connection that only gives bytes.
type onlyRead struct{ io.Reader }

func (onlyRead) Write(p []byte) (int, error) { return len(p), nil }
func (onlyRead) Close() error                { return nil }

func (onlyRead) LocalAddr() net.Addr  { return nil }
func (onlyRead) RemoteAddr() net.Addr { return nil }

func (onlyRead) SetDeadline(time.Time) error      { return nil }
func (onlyRead) SetReadDeadline(time.Time) error  { return nil }
func (onlyRead) SetWriteDeadline(time.Time) error { return nil }
