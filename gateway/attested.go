package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/openshell-policy/openshell/schemas"
)

// A sandbox with a socket of its own has a second one beside it, for its
// supervisor only: outside every grant, mode 0600, and only root, the gateway's
// own user and the trusted ones may connect. On it each connection begins with a
// statement of who opened it, one line of JSON:
//
//	{"openshell":1,"binary":"/usr/bin/git","ancestors":["/bin/bash"],"destination":"198.18.0.7:443"}
//
// With a destination what follows is what the program sent to that address (the
// transparent mode); without one it speaks the proxy protocol.

// AttestedSuffix follows the name of a sandbox's socket in that of its
// supervisor's.
const AttestedSuffix = ".supervisor"

// maxStatement bounds the line.
const maxStatement = 16 << 10

// Statement is the first line of a connection on a supervisor's socket.
type Statement struct {
	Version     int      `json:"openshell"` // 1
	Binary      string   `json:"binary,omitempty"`
	Ancestors   []string `json:"ancestors,omitempty"`
	Destination string   `json:"destination,omitempty"` // address:port, "" for the proxy protocol
}

// Append appends the statement's line.
func (s Statement) Append(b []byte) ([]byte, error) {
	s.Version = 1
	line, err := json.Marshal(s)
	if err != nil {
		return b, err
	}
	return append(append(b, line...), '\n'), nil
}

// ParseStatement reads one line without its end. Unknown fields are errors: a
// newer supervisor may mean something by them.
func ParseStatement(line []byte) (Statement, netip.AddrPort, error) {
	var s Statement
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, netip.AddrPort{}, errors.New("the statement is not the JSON object it should be")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return s, netip.AddrPort{}, errors.New("something follows the statement in its line")
	}
	if s.Version != 1 {
		return s, netip.AddrPort{}, errors.New("the statement is of another version than 1")
	}
	for _, path := range append([]string{s.Binary}, s.Ancestors...) {
		if path != "" && (!strings.HasPrefix(path, "/") || filepath.Clean(path) != path) {
			return s, netip.AddrPort{}, errors.New("the statement names a program by a path that is not absolute and clean")
		}
	}
	if s.Destination == "" {
		return s, netip.AddrPort{}, nil
	}
	to, err := netip.ParseAddrPort(s.Destination)
	if err != nil || to.Port() == 0 {
		return s, netip.AddrPort{}, errors.New("the statement's destination is not ADDRESS:PORT")
	}
	return s, to, nil
}

// mayAttest tells whether the process at the other end may state who connects.
func (g *Gateway) mayAttest(c net.Conn) bool {
	_, uid, ok := peerUser(c)
	return ok && (uid == 0 || int(uid) == os.Geteuid() || slices.Contains(g.cfg.Identity.TrustedUIDs, uid))
}

// openAttested serves the supervisor's socket beside a sandbox's own.
func (g *Gateway) openAttested(id, socket string) error {
	l, err := listenSocket(socket + AttestedSuffix)
	if err != nil {
		return fmt.Errorf("supervisor's socket of sandbox %s: %w", id, err)
	}
	g.socketsMu.Lock()
	g.sockets[id+AttestedSuffix] = l
	g.socketsMu.Unlock()
	go g.acceptEach(l, id, g.serveAttested)
	return nil
}

func (g *Gateway) serveAttested(cc *clientConn) {
	if !g.mayAttest(cc.Conn) {
		g.closeUnread(cc, schemas.CodeIdentityMismatch, "only the supervisor may use its socket")
		return
	}
	_ = cc.SetReadDeadline(time.Now().Add(g.cfg.Limits.HeaderTimeout))
	line, rest, err := readLine(cc, maxStatement)
	_ = cc.SetReadDeadline(time.Time{})
	if len(line) == 0 && err != nil {
		cc.Close() // opened and closed without a word
		return
	}
	var to netip.AddrPort
	var s Statement
	if err == nil {
		s, to, err = ParseStatement(line)
	}
	if err != nil {
		g.closeUnread(cc, schemas.CodeBadRequest, "no statement of who connects: "+err.Error())
		return
	}
	cc.attested, cc.peer = true, Peer{Binary: s.Binary, Ancestors: s.Ancestors}
	if to.IsValid() {
		g.serveTransparent(cc, &replayConn{Conn: cc, first: rest}, to)
		return
	}
	g.outerFeed.give(g.readStrictly(&replayConn{Conn: cc, first: rest}, cc))
}

// readLine reads up to a line feed, and returns what came after it too.
func readLine(r io.Reader, most int) (line, rest []byte, err error) {
	buf := make([]byte, 0, 512)
	for len(buf) < most {
		buf = slices.Grow(buf, 512)
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if line, rest, ok := bytes.Cut(buf, []byte("\n")); ok {
			return line, rest, nil
		}
		if err != nil {
			return buf, nil, err
		}
	}
	return buf, nil, errors.New("the line is too long")
}

// closeUnread closes a connection before any request on it, with one record.
func (g *Gateway) closeUnread(cc *clientConn, code schemas.Code, detail string) {
	g.recordClosed(closedConn{sandbox: g.owner(cc), code: code, detail: detail})
	cc.Close()
}
