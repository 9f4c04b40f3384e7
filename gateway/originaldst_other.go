//go:build !linux

package gateway

import (
	"net"
	"net/netip"
)

// originalDestination is the connection's own address on systems whose redirects
// are not known here.
func originalDestination(c net.Conn) (netip.AddrPort, bool) {
	to, err := netip.ParseAddrPort(c.LocalAddr().String())
	return to, err == nil
}
