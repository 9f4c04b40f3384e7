// Package socks reads and writes the messages of SOCKS 5 (RFC 1928) and of its
// user name and password (RFC 1929), as a server needs them. It reads exactly the
// bytes of each message, so that what a client sends after them stays unread.
package socks

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// Version begins every message but that of RFC 1929, which begins with 1.
const (
	Version         = 5
	passwordVersion = 1
)

// The ways to authenticate that are spoken here.
const (
	MethodNone     = 0x00
	MethodPassword = 0x02
	NoMethod       = 0xff
)

// The commands of a request.
const (
	CommandConnect   = 1
	CommandBind      = 2
	CommandAssociate = 3
)

// The codes of a reply.
const (
	ReplySucceeded           = 0
	ReplyFailure             = 1
	ReplyNotAllowed          = 2
	ReplyCommandNotSupported = 7
	ReplyAddressNotSupported = 8
)

const (
	addressIPv4 = 1
	addressName = 3
	addressIPv6 = 4
)

// ErrMalformed is what reading a message returns that is not as the RFCs have it.
var ErrMalformed = errors.New("the bytes are not SOCKS 5")

// ErrAddress is returned for a kind of address that RFC 1928 does not name.
var ErrAddress = fmt.Errorf("%w: the kind of address is not known", ErrMalformed)

func read(r io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

// ReadMethods reads the greeting: the methods that a client offers.
func ReadMethods(r io.Reader) ([]byte, error) {
	head, err := read(r, 1)
	if err != nil {
		return nil, err
	}
	if head[0] != Version {
		return nil, ErrMalformed
	}
	count, err := read(r, 1)
	if err != nil {
		return nil, err
	}
	if count[0] == 0 {
		return nil, ErrMalformed
	}
	return read(r, int(count[0]))
}

// WriteMethod tells the client which of its methods is taken.
func WriteMethod(w io.Writer, method byte) error {
	_, err := w.Write([]byte{Version, method})
	return err
}

// ReadPassword reads a user name and a password, neither of which may be empty.
func ReadPassword(r io.Reader) (user, password string, err error) {
	head, err := read(r, 1)
	if err != nil {
		return "", "", err
	}
	if head[0] != passwordVersion {
		return "", "", ErrMalformed
	}
	if user, err = readString(r); err != nil {
		return "", "", err
	}
	password, err = readString(r)
	return user, password, err
}

// readString reads a length of one byte, at least 1, and as many bytes.
func readString(r io.Reader) (string, error) {
	n, err := read(r, 1)
	if err != nil {
		return "", err
	}
	if n[0] == 0 {
		return "", ErrMalformed
	}
	b, err := read(r, int(n[0]))
	return string(b), err
}

// WriteStatus ends the authentication.
func WriteStatus(w io.Writer, ok bool) error {
	status := byte(1)
	if ok {
		status = 0
	}
	_, err := w.Write([]byte{passwordVersion, status})
	return err
}

// Request is what a client asks for.
type Request struct {
	Command byte
	Host    string // an address in canonical form, or a name as it was sent
	Port    int
}

// ReadRequest reads a request. With ErrAddress the command is known.
func ReadRequest(r io.Reader) (Request, error) {
	head, err := read(r, 4)
	if err != nil {
		return Request{}, err
	}
	req := Request{Command: head[1]}
	if head[0] != Version || head[2] != 0 {
		return Request{}, ErrMalformed
	}
	if req.Host, err = readHost(r, head[3]); err != nil {
		return req, err
	}
	port, err := read(r, 2)
	if err != nil {
		return req, err
	}
	req.Port = int(port[0])<<8 | int(port[1])
	return req, nil
}

func readHost(r io.Reader, kind byte) (string, error) {
	switch kind {
	case addressIPv4, addressIPv6:
		size := map[byte]int{addressIPv4: 4, addressIPv6: 16}[kind]
		b, err := read(r, size)
		if err != nil {
			return "", err
		}
		a, _ := netip.AddrFromSlice(b)
		return a.String(), nil
	case addressName:
		return readString(r)
	}
	return "", ErrAddress
}

// WriteReply answers a request. The address that a reply names is left empty: a
// client has no use for the gateway's own.
func WriteReply(w io.Writer, code byte) error {
	_, err := w.Write([]byte{Version, code, 0, addressIPv4, 0, 0, 0, 0, 0, 0})
	return err
}
