package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
)

// SupervisorSuffix follows the name of a sandbox's socket in that of its
// supervisor's.
const SupervisorSuffix = ".supervisor"

// Statement is the first line of a connection on a supervisor's socket: who
// opened it, and in the transparent mode where to.
//
//	{"openshell":1,"binary":"/usr/bin/git","ancestors":["/bin/bash"],"destination":"198.18.0.7:443"}
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
