//go:build linux

package ns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/local/wire"
)

// buildNet brings up the loopback interface and makes every address local to it,
// so that a connection to any address arrives at a listener of ours. There is no
// other interface and no route out.
func buildNet() error {
	if err := bringUp("lo"); err != nil {
		return err
	}
	if err := anyLocal(unix.AF_INET); err != nil {
		return fmt.Errorf("make every IPv4 address local: %w", err)
	}
	// A kernel without IPv6 has no such connections to catch.
	if err := anyLocal(unix.AF_INET6); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("make every IPv6 address local: %w", err)
	}
	return nil
}

func bringUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	req.SetUint16(req.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

// anyLocal adds the route "local 0.0.0.0/0 dev lo" or "local ::/0 dev lo".
func anyLocal(family uint8) error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	var b bytes.Buffer
	write := func(v any) { _ = binary.Write(&b, binary.NativeEndian, v) } // to memory
	write(unix.NlMsghdr{
		Len: unix.SizeofNlMsghdr + unix.SizeofRtMsg + 8, Type: unix.RTM_NEWROUTE, Seq: 1,
		Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK | unix.NLM_F_CREATE | unix.NLM_F_REPLACE,
	})
	write(unix.RtMsg{Family: family, Table: unix.RT_TABLE_LOCAL, Protocol: unix.RTPROT_BOOT, Scope: unix.RT_SCOPE_HOST, Type: unix.RTN_LOCAL})
	write(unix.RtAttr{Len: 8, Type: unix.RTA_OIF})
	write(uint32(lo.Index))
	return request(b.Bytes())
}

// request sends one netlink message and returns the kernel's verdict.
func request(msg []byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	if n < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("netlink: an answer of another kind")
	}
	if code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}

// listen opens the sockets that the supervisor accepts on.
func listen(want []Listener) ([]*os.File, error) {
	var files []*os.File
	for _, l := range want {
		host := "127.0.0.1"
		if l.Any {
			host = "::" // takes IPv4 too
		}
		ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(l.Port)))
		if err != nil && l.Any {
			ln, err = net.Listen("tcp4", net.JoinHostPort("0.0.0.0", strconv.Itoa(l.Port))) // without IPv6
		}
		if err != nil {
			wire.CloseAll(files)
			return nil, fmt.Errorf("listen on port %d: %w", l.Port, err)
		}
		f, err := ln.(*net.TCPListener).File()
		err = errors.Join(err, ln.Close())
		if err != nil {
			wire.CloseAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}
