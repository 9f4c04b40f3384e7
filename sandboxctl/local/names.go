//go:build linux

package local

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// names answers the sandbox's questions for names: those that its policy names
// get an address, others do not exist. The address is the same for all: what a
// connection to it may do is decided by the name that the client gives in TLS or
// HTTP, and the gateway resolves that name itself.
type names struct {
	allowed func(host string) bool
}

// The addresses that stand for every allowed name, of ranges that are for tests
// and examples only.
var (
	anyName4 = netip.AddrFrom4([4]byte{198, 18, 0, 1})
	anyName6 = netip.MustParseAddr("2001:db8::1")
)

const (
	namesIdle = 30 * time.Second
	namesTTL  = 5 // seconds: the policy may change
)

// serve answers questions over TCP, each with its length before it.
func (n *names) serve(c net.Conn) {
	var length [2]byte
	for {
		_ = c.SetDeadline(time.Now().Add(namesIdle))
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer, err := n.answer(question)
		if err != nil {
			return
		}
		out := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := c.Write(append(out, answer...)); err != nil {
			return
		}
	}
}

func (n *names) answer(question []byte) ([]byte, error) {
	var p dnsmessage.Parser
	header, err := p.Start(question)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	header = dnsmessage.Header{ID: header.ID, Response: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true}
	host := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
	known := n.allowed(host)
	if !known {
		header.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, header)
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q); err != nil {
		return nil, err
	}
	if err := b.StartAnswers(); err != nil || !known {
		out, ferr := b.Finish()
		if err == nil {
			err = ferr
		}
		return out, err
	}
	rh := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: namesTTL}
	switch q.Type {
	case dnsmessage.TypeA:
		err = b.AResource(rh, dnsmessage.AResource{A: anyName4.As4()})
	case dnsmessage.TypeAAAA:
		err = b.AAAAResource(rh, dnsmessage.AAAAResource{AAAA: anyName6.As16()})
	}
	if err != nil {
		return nil, err
	}
	return b.Finish()
}
