package gateway

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// soOriginalDst is SO_ORIGINAL_DST, and IP6T_SO_ORIGINAL_DST.
const soOriginalDst = 80

// originalDestination is where the client of a redirected connection meant to go:
// what the connection tracker remembers, else the connection's own address, which
// is the original one where no address was translated.
func originalDestination(c net.Conn) (netip.AddrPort, bool) {
	local, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return netip.AddrPort{}, false
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return local, true
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return local, true
	}
	to := netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	_ = raw.Control(func(fd uintptr) {
		if tracked, ok := trackedDestination(int(fd), to.Addr().Is4()); ok {
			to = tracked
		}
	})
	return to, true
}

func trackedDestination(fd int, v4 bool) (netip.AddrPort, bool) {
	if v4 {
		// The option's value is a sockaddr_in, as long as an ipv6_mreq's address.
		m, err := unix.GetsockoptIPv6Mreq(fd, unix.IPPROTO_IP, soOriginalDst)
		if err != nil {
			return netip.AddrPort{}, false
		}
		a := m.Multiaddr
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a[4:8])), binary.BigEndian.Uint16(a[2:4])), true
	}
	// The value is a sockaddr_in6, with which an ip6_mtuinfo begins.
	m, err := unix.GetsockoptIPv6MTUInfo(fd, unix.IPPROTO_IPV6, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}, false
	}
	var port [2]byte
	binary.NativeEndian.PutUint16(port[:], m.Addr.Port) // in network order as it stands
	return netip.AddrPortFrom(netip.AddrFrom16(m.Addr.Addr), binary.BigEndian.Uint16(port[:])), true
}
