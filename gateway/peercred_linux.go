package gateway

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerUser returns the process that connected a Unix socket, and its user, as the
// kernel noted them at connect(2).
func peerUser(c net.Conn) (pid int, uid uint32, ok bool) {
	u, isUnix := c.(*net.UnixConn)
	if !isUnix {
		return 0, 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, 0, false
	}
	var cred *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || cred == nil || cred.Pid <= 0 {
		return 0, 0, false
	}
	return int(cred.Pid), cred.Uid, true
}

// kernelPeer reads from /proc which program connected a Unix socket, if it runs
// as one of the users that sandboxed processes cannot be. Of any other the answer
// would be worthless: a process can connect, execute an allowed program and leave
// the connection to a child, and /proc then shows the allowed one.
func kernelPeer(c net.Conn, trusted []uint32) (Peer, bool) {
	pid, uid, ok := peerUser(c)
	if !ok || !slices.Contains(trusted, uid) {
		return Peer{}, false
	}
	p := Peer{}
	for range maxAncestors {
		exe, parent, ok := processOf(pid, trusted)
		if !ok {
			break
		}
		if p.Binary == "" {
			p.Binary = exe
		} else {
			p.Ancestors = append(p.Ancestors, exe)
		}
		pid = parent
	}
	return p, p.Binary != ""
}

// maxAncestors bounds how far up the processes are followed.
const maxAncestors = 16

// processOf returns a process's executable and parent. The process must still be
// of a trusted user: its number may be another's by now.
func processOf(pid int, trusted []uint32) (exe string, parent int, ok bool) {
	dir := fmt.Sprintf("/proc/%d", pid)
	info, err := os.Stat(dir)
	if err != nil {
		return "", 0, false
	}
	st, isStat := info.Sys().(*syscall.Stat_t)
	if !isStat || !slices.Contains(trusted, st.Uid) {
		return "", 0, false
	}
	if exe, err = os.Readlink(dir + "/exe"); err != nil || !strings.HasPrefix(exe, "/") || strings.HasSuffix(exe, " (deleted)") {
		return "", 0, false
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return "", 0, false
	}
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest) // state, ppid, ... (proc_pid_stat(5))
	if len(fields) < 2 {
		return "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return exe, parent, err == nil && exe != ""
}
