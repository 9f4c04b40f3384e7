package h2_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/openshell-policy/openshell/gateway/h2"
)

// pieces is a connection that reads fixed bytes in pieces of one size.
type pieces struct {
	net.Conn
	in   []byte
	size int
	out  bytes.Buffer
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.in)
	p.in = p.in[n:]
	return n, nil
}
func (p *pieces) Write(b []byte) (int, error)     { return p.out.Write(b) }
func (p *pieces) Close() error                    { return nil }
func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// requests returns the bytes of a client that opens streams 1, 3 and so on, the
// first with a trailer.
func requests(t testing.TB, n int) []byte {
	t.Helper()
	b := bytes.NewBufferString(h2.Preface)
	fr := http2.NewFramer(b, nil)
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	_ = fr.WriteSettings()
	for i := range n {
		block.Reset()
		_ = enc.WriteField(hpack.HeaderField{Name: ":method", Value: "GET"})
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndHeaders: true})
		_ = fr.WriteData(uint32(2*i+1), false, bytes.Repeat([]byte("x"), 300))
	}
	block.Reset()
	_ = enc.WriteField(hpack.HeaderField{Name: "x", Value: "trailer"})
	_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	return b.Bytes()
}

func TestCountsRequestsThatNobodyHandled(t *testing.T) {
	wire := requests(t, 5)
	for size := 1; size < 64; size += 3 {
		told := make(chan string, 10)
		p := &pieces{in: bytes.Clone(wire), size: size}
		c := h2.NewConn(p, h2.Options{Unanswered: func(why string) { told <- why }})
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, wire) {
			t.Fatalf("%v, the bytes are not as sent", err)
		}
		for range 3 {
			c.Handled()
		}
		fr := http2.NewFramer(c, nil)
		_ = fr.WriteRSTStream(5, http2.ErrCodeProtocol)
		c.Close()
		c.Close()
		for range 2 {
			if why := <-told; why == "" {
				t.Error("no reason")
			}
		}
		select {
		case why := <-told:
			t.Errorf("size %d: told once more: %s", size, why)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestTellsOfABrokenConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		code http2.ErrCode
		want int
	}{
		"no preface":    {"GET / HTTP/1.1\r\n\r\n", 0, 1},
		"other preface": {"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", 0, 1},
		"error":         {h2.Preface, http2.ErrCodeProtocol, 1},
		"no error":      {h2.Preface, http2.ErrCodeNo, 0},
	} {
		t.Run(name, func(t *testing.T) {
			told := make(chan string, 10)
			c := h2.NewConn(&pieces{in: []byte(tt.in), size: 5}, h2.Options{Unanswered: func(why string) { told <- why }})
			got, err := io.ReadAll(c)
			if err == nil && tt.in[0] != h2.Preface[0] {
				t.Errorf("handed on %q", got)
			}
			_ = http2.NewFramer(c, nil).WriteGoAway(0, tt.code, []byte("debug"))
			c.Close()
			time.Sleep(10 * time.Millisecond)
			if len(told) != tt.want {
				t.Errorf("told %d times, want %d", len(told), tt.want)
			}
		})
	}
}

func TestSlowHeaderBlock(t *testing.T) {
	for name, sent := range map[string]string{
		"preface":      h2.Preface[:10],
		"frame head":   h2.Preface + "\x00\x00",
		"continuation": h2.Preface + "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82",
	} {
		t.Run(name, func(t *testing.T) {
			client, server := net.Pipe()
			defer client.Close()
			c := h2.NewConn(server, h2.Options{Timeout: 30 * time.Millisecond})
			go func() { _, _ = io.WriteString(client, sent) }()
			_, err := io.ReadAll(c)
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
				t.Errorf("got %v, want a time-out", err)
			}
		})
	}
}

// FuzzFrames holds that watching changes no byte, whatever they are.
func FuzzFrames(f *testing.F) {
	f.Add(requests(f, 2), 7)
	f.Add([]byte("GET / HTTP/1.1\r\n"), 1)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		c := h2.NewConn(&pieces{in: bytes.Clone(b), size: max(1, size%100)}, h2.Options{})
		got, err := io.ReadAll(c)
		if !bytes.HasPrefix(b, got) || err == nil && len(got) != len(b) {
			t.Errorf("read %d of %d bytes, %v", len(got), len(b), err)
		}
		_, _ = c.Write(b)
		c.Close()
	})
}
