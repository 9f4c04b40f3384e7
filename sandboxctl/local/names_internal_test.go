//go:build linux

package local

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func question(t testing.TB, name string, kind dnsmessage.Type) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	text, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

var onlyExample = &names{allowed: func(h string) bool { return h == "api.example.com" }}

// Names that a rule names have an address, the same for all; others do not exist.
func TestNames(t *testing.T) {
	tests := []struct {
		name string
		kind dnsmessage.Type
		code dnsmessage.RCode
		want string
	}{
		{"api.example.com.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, anyName4.String()},
		{"API.Example.COM.", dnsmessage.TypeA, dnsmessage.RCodeSuccess, anyName4.String()},
		{"api.example.com.", dnsmessage.TypeAAAA, dnsmessage.RCodeSuccess, anyName6.String()},
		{"api.example.com.", dnsmessage.TypeTXT, dnsmessage.RCodeSuccess, ""},
		{"secret-bytes.evil.example.", dnsmessage.TypeA, dnsmessage.RCodeNameError, ""},
		{"secret.api.example.com.", dnsmessage.TypeTXT, dnsmessage.RCodeNameError, ""},
	}
	for _, tt := range tests {
		text, err := onlyExample.answer(question(t, tt.name, tt.kind))
		if err != nil {
			t.Fatal(err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(text); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, a := range m.Answers {
			switch body := a.Body.(type) {
			case *dnsmessage.AResource:
				got = net.IP(body.A[:]).String()
			case *dnsmessage.AAAAResource:
				got = net.IP(body.AAAA[:]).String()
			}
		}
		if m.ID != 7 || m.RCode != tt.code || got != tt.want {
			t.Errorf("%s %v: id %d, %v %q, want %v %q", tt.name, tt.kind, m.ID, m.RCode, got, tt.code, tt.want)
		}
	}
}

// A client that sends something else is left, and nothing else happens.
func TestNamesOverAConnection(t *testing.T) {
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		onlyExample.serve(theirs)
		theirs.Close()
	}()
	q := question(t, "api.example.com.", dnsmessage.TypeA)
	if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)); err != nil {
		t.Fatal(err)
	}
	var length [2]byte
	if _, err := io.ReadFull(ours, length[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(ours, make([]byte, binary.BigEndian.Uint16(length[:]))); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Write([]byte{0, 3, 'a', 'b', 'c'}); err != nil {
		t.Fatal(err)
	}
	if n, err := ours.Read(length[:]); err == nil {
		t.Errorf("%d bytes came for what is no question", n)
	}
	<-done
}

func FuzzNames(f *testing.F) {
	f.Add(question(f, "api.example.com.", dnsmessage.TypeA))
	f.Add(question(f, "a.b.", dnsmessage.TypeAAAA))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := onlyExample.answer(text)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(answer); err != nil {
			t.Fatalf("answered %x: %v", answer, err)
		}
		if !m.Response || len(m.Questions) != 1 {
			t.Errorf("answered %+v", m)
		}
	})
}
