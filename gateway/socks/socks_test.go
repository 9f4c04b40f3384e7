package socks_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/openshell-policy/openshell/gateway/socks"
)

func TestReadRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		bytes string
		want  socks.Request
		err   error
	}{
		"name":        {"\x05\x01\x00\x03\x08api.test\x01\xbb", socks.Request{Command: 1, Host: "api.test", Port: 443}, nil},
		"IPv4":        {"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", socks.Request{Command: 1, Host: "127.0.0.1", Port: 80}, nil},
		"IPv6":        {"\x05\x02\x00\x04" + string(make([]byte, 15)) + "\x01\x00\x50", socks.Request{Command: 2, Host: "::1", Port: 80}, nil},
		"version":     {"\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50", socks.Request{}, socks.ErrMalformed},
		"reserved":    {"\x05\x01\x01\x01\x7f\x00\x00\x01\x00\x50", socks.Request{}, socks.ErrMalformed},
		"no name":     {"\x05\x01\x00\x03\x00\x01\xbb", socks.Request{Command: 1}, socks.ErrMalformed},
		"other kind":  {"\x05\x01\x00\x02aaaa\x01\xbb", socks.Request{Command: 1}, socks.ErrAddress},
		"cut off":     {"\x05\x01\x00\x03\x08api", socks.Request{Command: 1, Host: ""}, io.ErrUnexpectedEOF},
		"without end": {"\x05\x01\x00\x01\x7f\x00\x00\x01\x00", socks.Request{Command: 1, Host: "127.0.0.1"}, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := socks.ReadRequest(bytes.NewReader([]byte(tt.bytes)))
			if tt.err == nil && got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestGreetingAndPassword(t *testing.T) {
	r := bytes.NewReader([]byte("\x05\x02\x00\x02\x01\x02me\x03key\x05"))
	if m, err := socks.ReadMethods(r); err != nil || string(m) != "\x00\x02" {
		t.Errorf("methods %q, %v", m, err)
	}
	if u, p, err := socks.ReadPassword(r); err != nil || u != "me" || p != "key" {
		t.Errorf("%q %q %v", u, p, err)
	}
	if r.Len() != 1 {
		t.Errorf("%d bytes left, want the one that follows", r.Len())
	}
	for _, bad := range []string{"\x04\x01\x00", "\x05\x00", "\x05", ""} {
		if m, err := socks.ReadMethods(bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q: %q", bad, m)
		}
	}
	for _, bad := range []string{"\x05\x01a\x01b", "\x01\x00\x01b", "\x01\x01a\x00", "\x01\x02a"} {
		if _, _, err := socks.ReadPassword(bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// FuzzConversation holds that no bytes make reading panic, read more than a
// message, or give a request without a host.
func FuzzConversation(f *testing.F) {
	for _, seed := range []string{
		"\x05\x01\x02\x01\x01a\x01b\x05\x01\x00\x03\x08api.test\x01\xbb", "\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", "\x04\x01", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if m, err := socks.ReadMethods(r); err != nil {
			return
		} else if len(m) == 0 || len(m) > 255 {
			t.Errorf("%d methods", len(m))
		}
		if _, _, err := socks.ReadPassword(r); err != nil {
			return
		}
		before := r.Len()
		req, err := socks.ReadRequest(r)
		if err == nil && (req.Host == "" || before-r.Len() > 4+1+255+2) {
			t.Errorf("%+v of %d bytes", req, before-r.Len())
		}
	})
}
