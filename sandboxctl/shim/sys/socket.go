package sys

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Connect connects a socket to an address in the kernel's form.
func Connect(fd int, address []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address[0])), uintptr(len(address)))
	if errno != 0 {
		return errno
	}
	return nil
}

// DiagSocket opens a socket that answers SocketInode for the network namespace
// of the calling thread (sock_diag(7)).
func DiagSocket() (int, error) {
	return unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
}

const (
	sockDiagByFamily = 20
	noCookie         = 0xffffffff
	diagRequest      = 16 + 56 // nlmsghdr, inet_diag_req_v2
)

// SocketInode returns the inode of the TCP socket with the ends; diag -1 asks the
// caller's own network namespace.
func SocketInode(diag int, local, remote netip.AddrPort) (uint32, error) {
	if diag < 0 {
		own, err := DiagSocket()
		if err != nil {
			return 0, err
		}
		defer unix.Close(own)
		diag = own
	}
	if err := unix.Sendto(diag, diagMessage(local, remote), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("ask for a socket: %w", err)
	}
	var answer [4096]byte
	n, _, err := unix.Recvfrom(diag, answer[:], 0)
	if err != nil {
		return 0, fmt.Errorf("ask for a socket: %w", err)
	}
	ne := binary.NativeEndian
	if n < 16+72 || ne.Uint16(answer[4:]) != sockDiagByFamily {
		return 0, unix.ENOENT
	}
	return ne.Uint32(answer[16+68:]), nil // idiag_inode of struct inet_diag_msg
}

// diagMessage asks for one established socket by its four numbers.
func diagMessage(local, remote netip.AddrPort) []byte {
	b := make([]byte, diagRequest)
	ne, be := binary.NativeEndian, binary.BigEndian
	ne.PutUint32(b[0:], diagRequest)
	ne.PutUint16(b[4:], sockDiagByFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[16:]
	r[0], r[1] = unix.AF_INET6, unix.IPPROTO_TCP
	if local.Addr().Unmap().Is4() {
		r[0] = unix.AF_INET
	}
	ne.PutUint32(r[4:], 0xfff) // every state
	be.PutUint16(r[8:], local.Port())
	be.PutUint16(r[10:], remote.Port())
	copy(r[12:], local.Addr().Unmap().AsSlice())
	copy(r[28:], remote.Addr().Unmap().AsSlice())
	ne.PutUint32(r[48:], noCookie)
	ne.PutUint32(r[52:], noCookie)
	return b
}
