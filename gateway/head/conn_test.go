package head_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/gateway/head"
)

// script is a connection whose client sends fixed bytes in pieces of one size.
type script struct {
	net.Conn
	data  []byte
	piece int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *script) SetReadDeadline(time.Time) error { return nil }
func (s *script) Close() error                    { return nil }

// TestConnFindsEveryHead sends requests with bodies back to back, in pieces of
// many sizes, and expects the same bytes out.
func TestConnFindsEveryHead(t *testing.T) {
	wire := "POST /1 HTTP/1.1\r\n" + host + "Content-Length: 3\r\n\r\nabc" +
		"GET /2 HTTP/1.1\r\n" + host + "\r\n" +
		"POST /3 HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5;x=y\r\n\r\n\r\n1\r\n0\r\nX-T: v\r\n\r\n" +
		"GET /4 HTTP/1.1\r\n" + host + "\r\n"
	for piece := 1; piece < len(wire); piece++ {
		c := head.NewConn(&script{data: []byte(wire), piece: piece}, head.Options{})
		got, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != wire {
			t.Fatalf("piece %d: got %q", piece, got)
		}
	}
}

func TestConnRefusesTheSecondRequest(t *testing.T) {
	wire := "GET /1 HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\nGET /3 HTTP/1.1\r\n" + host + "\r\n"
	c := head.NewConn(&script{data: []byte(wire), piece: len(wire)}, head.Options{})
	br := bufio.NewReader(c)
	first, err := http.ReadRequest(br)
	if err != nil || c.Fault(first) != nil {
		t.Fatalf("first request: %v, fault %v", err, c.Fault(first))
	}
	second, err := http.ReadRequest(br)
	if err != nil {
		t.Fatal(err)
	}
	f := c.Fault(second)
	if f == nil || f.Status != 400 || f.Target != "/2" {
		t.Fatalf("fault %+v", f)
	}
	if _, err := http.ReadRequest(br); err == nil {
		t.Error("a request after the refused one was read")
	}
}

func TestConnBodyFaults(t *testing.T) {
	for _, body := range []string{
		"3;ext=\"a\r\nb\"\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
		"00000000000000003\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n", "\r\n",
		"3 \r\nabc\r\n0\r\n\r\n", "0\r\n bad: trailer\r\n\r\n",
	} {
		wire := "POST /3 HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + body
		c := head.NewConn(&script{data: []byte(wire), piece: 7}, head.Options{})
		if _, err := io.ReadAll(c); !errors.Is(err, head.ErrBody) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestConnLimits(t *testing.T) {
	tests := []struct {
		name, wire string
		status     int
	}{
		{"F20_EndlessLine", strings.Repeat("A", 1<<20), 414},
		{"F19_BigHead", "GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 70<<10) + "\r\n\r\n", 431},
		{"F07_OnlyLF", "GET / HTTP/1.1\nHost: a.test\n\n", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := head.NewConn(&script{data: []byte(tt.wire), piece: 4096}, head.Options{})
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err != nil {
				t.Fatal(err)
			}
			if f := c.Fault(r); f == nil || f.Status != tt.status {
				t.Errorf("fault %+v, want status %d", f, tt.status)
			}
		})
	}
}

func TestC20_BinaryBytesClose(t *testing.T) {
	for _, b := range []byte{0x04, 0x05, 0x16, 0x80, 0xff} {
		var got *head.Fault
		c := head.NewConn(&script{data: []byte{b, 1, 0}, piece: 3}, head.Options{OnAbort: func(f *head.Fault) { got = f }})
		if _, err := io.ReadAll(c); err != nil {
			t.Error(err)
		}
		c.Close()
		if got == nil {
			t.Errorf("byte %#x was not reported", b)
		}
	}
}

func TestF22_SlowHeadTimesOut(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	aborted := make(chan *head.Fault, 1)
	c := head.NewConn(server, head.Options{Timeout: 50 * time.Millisecond, OnAbort: func(f *head.Fault) { aborted <- f }})
	go client.Write([]byte("GET / HTTP/1.1\r\nHo"))
	_, err := io.ReadAll(c)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("got %v, want a time-out", err)
	}
	c.Close()
	if f := <-aborted; f == nil {
		t.Error("the unfinished head was not reported")
	}
}

func TestConnIdleCloseIsSilent(t *testing.T) {
	c := head.NewConn(&script{}, head.Options{OnAbort: func(f *head.Fault) { t.Errorf("reported %v", f) }})
	io.ReadAll(c)
	c.Close()
}

func TestClientCannotForgeAFault(t *testing.T) {
	wire := "GET / HTTP/1.1\r\n" + host + "Openshell-Fault: x\r\n\r\n"
	c := head.NewConn(&script{data: []byte(wire), piece: 100}, head.Options{})
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil || c.Fault(r) != nil {
		t.Errorf("%v, %v", err, c.Fault(r))
	}
}

// FuzzConn holds that a connection hands on a prefix of what the client sent,
// then perhaps a made-up request, however the bytes are cut.
func FuzzConn(f *testing.F) {
	for _, tt := range scanCases {
		f.Add([]byte(tt.head+"GET / HTTP/1.1\r\n"+host+"\r\n"), 5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece int) {
		if piece < 1 || piece > 1<<16 {
			return
		}
		read := func(piece int) (string, string) {
			c := head.NewConn(&script{data: bytes.Clone(wire), piece: piece}, head.Options{})
			got, err := io.ReadAll(c)
			c.Close()
			if i := bytes.Index(got, []byte("GET / HTTP/1.1\r\nHost: fault\r\nConnection: close\r\nOpenshell-Fault: ")); i >= 0 {
				got = got[:i]
			}
			if !bytes.HasPrefix(wire, got) {
				t.Fatalf("handed on %q of %q", got, wire)
			}
			if err == nil {
				return string(got), ""
			}
			return "", strconv.Quote(err.Error())
		}
		got1, err1 := read(piece)
		got2, err2 := read(1 << 16)
		if got1 != got2 || err1 != err2 {
			t.Errorf("cut in pieces of %d: %q %s, whole: %q %s", piece, got1, err1, got2, err2)
		}
	})
}
