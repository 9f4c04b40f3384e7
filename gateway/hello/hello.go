// Package hello reads a TLS ClientHello without answering it, so that the
// gateway can compare the server name with the CONNECT before any handshake.
package hello

import (
	"errors"
	"io"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// ErrNotTLS is returned for a first byte that begins no TLS handshake record.
var ErrNotTLS = errors.New("the first bytes are not a TLS handshake")

// ErrMalformed is returned for a handshake record that holds no well-formed
// ClientHello.
var ErrMalformed = errors.New("the TLS ClientHello is malformed")

// Hello is what the gateway needs of a ClientHello.
type Hello struct {
	ServerName string   // "" when the extension is missing
	Protocols  []string // ALPN, in the client's order
	ECH        bool     // encrypted_client_hello is present
}

// Limits of a ClientHello: one message may be cut into many records.
const (
	maxMessage = 64 << 10
	maxRecord  = 16 << 10
	maxRecords = 128
)

// The numbers of RFC 8446, section 4, and RFC 9849 that are read here.
const (
	recordHandshake     = 22
	messageClientHello  = 1
	extensionServerName = 0
	extensionALPN       = 16
	extensionECH        = 0xfe0d
	nameTypeHost        = 0
)

// Peek reads from r up to the end of the ClientHello and returns it with every
// byte read, for replay. The bytes are returned with an error too.
func Peek(r io.Reader) (Hello, []byte, error) {
	var raw, message []byte
	for range maxRecords {
		start := len(raw)
		var err error
		if raw, err = readN(r, raw, 5); err != nil {
			if len(raw) > 0 && raw[0] != recordHandshake {
				err = ErrNotTLS
			}
			return Hello{}, raw, err
		}
		if raw[start] != recordHandshake || raw[start+1] != 3 {
			return Hello{}, raw, notHandshake(start)
		}
		size := int(raw[start+3])<<8 | int(raw[start+4])
		if size == 0 || size > maxRecord {
			return Hello{}, raw, ErrMalformed
		}
		if raw, err = readN(r, raw, size); err != nil {
			return Hello{}, raw, err
		}
		message = append(message, raw[start+5:]...)
		done, err := complete(message)
		if err != nil {
			return Hello{}, raw, err
		}
		if done {
			h, err := parse(message)
			return h, raw, err
		}
	}
	return Hello{}, raw, ErrMalformed
}

func notHandshake(start int) error {
	if start == 0 {
		return ErrNotTLS
	}
	return ErrMalformed
}

// readN appends exactly n bytes; the first byte alone decides whether more are
// waited for.
func readN(r io.Reader, raw []byte, n int) ([]byte, error) {
	start := len(raw)
	raw = slices.Grow(raw, n)
	for len(raw) < start+n {
		got, err := r.Read(raw[len(raw) : start+n])
		raw = raw[:len(raw)+got]
		if start == 0 && len(raw) > 0 && raw[0] != recordHandshake {
			return raw, ErrNotTLS
		}
		if err != nil && len(raw) < start+n {
			if err == io.EOF && len(raw) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return raw, err
		}
	}
	return raw, nil
}

func complete(message []byte) (bool, error) {
	if message[0] != messageClientHello {
		return false, ErrMalformed
	}
	if len(message) < 4 {
		return false, nil
	}
	size := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
	if size > maxMessage {
		return false, ErrMalformed
	}
	return len(message) >= 4+size, nil
}

func parse(message []byte) (Hello, error) {
	var h Hello
	var session, suites, compression cryptobyte.String
	s := cryptobyte.String(message)
	var body, extensions cryptobyte.String
	if !s.Skip(1) || !s.ReadUint24LengthPrefixed(&body) || !s.Empty() ||
		!body.Skip(2+32) ||
		!body.ReadUint8LengthPrefixed(&session) ||
		!body.ReadUint16LengthPrefixed(&suites) ||
		!body.ReadUint8LengthPrefixed(&compression) {
		return h, ErrMalformed
	}
	if body.Empty() {
		return h, nil // no extensions at all
	}
	if !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		return h, ErrMalformed
	}
	seen := map[uint16]bool{}
	for !extensions.Empty() {
		var kind uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&data) || seen[kind] {
			return h, ErrMalformed
		}
		seen[kind] = true
		if !h.extension(kind, data) {
			return h, ErrMalformed
		}
	}
	return h, nil
}

func (h *Hello) extension(kind uint16, data cryptobyte.String) bool {
	switch kind {
	case extensionServerName:
		return h.serverName(data)
	case extensionALPN:
		return h.protocols(data)
	case extensionECH:
		h.ECH = true
	}
	return true
}

// serverName accepts exactly one name of type host_name.
func (h *Hello) serverName(data cryptobyte.String) bool {
	var list, name cryptobyte.String
	var kind uint8
	if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() ||
		!list.ReadUint8(&kind) || kind != nameTypeHost ||
		!list.ReadUint16LengthPrefixed(&name) || !list.Empty() || name.Empty() {
		return false
	}
	h.ServerName = string(name)
	return true
}

func (h *Hello) protocols(data cryptobyte.String) bool {
	var list cryptobyte.String
	if !data.ReadUint16LengthPrefixed(&list) || !data.Empty() || list.Empty() {
		return false
	}
	for !list.Empty() {
		var p cryptobyte.String
		if !list.ReadUint8LengthPrefixed(&p) || p.Empty() {
			return false
		}
		h.Protocols = append(h.Protocols, string(p))
	}
	return true
}
