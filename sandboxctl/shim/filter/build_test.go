package filter_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/filter"
)

// machine runs a filter in an interpreter.
type machine struct{ vm *bpf.VM }

func newMachine(t *testing.T, o filter.Options) machine {
	t.Helper()
	var raw []bpf.RawInstruction
	for _, f := range filter.Build(o) {
		raw = append(raw, bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K})
	}
	instructions, all := bpf.Disassemble(raw)
	if !all {
		t.Fatal("the interpreter does not know an instruction")
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	return machine{vm}
}

// call returns the action for a call. The interpreter reads big-endian words, as
// a packet has them, where the kernel reads the machine's own.
func (m machine) call(t *testing.T, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[0:], nr)
	binary.BigEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(a>>32))
	}
	out, err := m.vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(out)
}

func errno(e unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(e) }

const (
	allow  = uint32(unix.SECCOMP_RET_ALLOW)
	notify = uint32(unix.SECCOMP_RET_USER_NOTIF)
)

var everything = filter.Options{Exec: true, Files: true, Metadata: true, Connect: true}

func TestArguments(t *testing.T) {
	const opath = unix.O_PATH | unix.O_CLOEXEC
	tests := []struct {
		name string
		nr   uint32
		args []uint64
		want uint32
	}{
		{"read", unix.SYS_READ, nil, allow},
		{"execve", unix.SYS_EXECVE, nil, notify},
		{"execveat", unix.SYS_EXECVEAT, nil, notify},
		{"connect", unix.SYS_CONNECT, nil, notify},
		{"openat", unix.SYS_OPENAT, []uint64{0, 0, unix.O_RDWR}, notify},
		{"openat for a name only", unix.SYS_OPENAT, []uint64{0, 0, opath}, allow},
		{"openat2 hides its flags", unix.SYS_OPENAT2, []uint64{0, 0, opath}, notify},
		{"fchmod", unix.SYS_FCHMOD, nil, notify},
		{"thread", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND}, allow},
		{"fork", unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, allow},
		{"X15 user namespace", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, errno(unix.EPERM)},
		{"X15 mount namespace", unix.SYS_CLONE, []uint64{unix.CLONE_NEWNS}, errno(unix.EPERM)},
		{"X15 clone3", unix.SYS_CLONE3, nil, errno(unix.ENOSYS)},
		{"X15 unshare", unix.SYS_UNSHARE, []uint64{unix.CLONE_NEWUSER}, errno(unix.EPERM)},
		{"X17 K08 mount", unix.SYS_MOUNT, nil, errno(unix.EPERM)},
		{"K08 umount", unix.SYS_UMOUNT2, nil, errno(unix.EPERM)},
		{"K09 chroot", unix.SYS_CHROOT, nil, errno(unix.EPERM)},
		{"K09 pivot_root", unix.SYS_PIVOT_ROOT, nil, errno(unix.EPERM)},
		{"K11 by handle", unix.SYS_OPEN_BY_HANDLE_AT, nil, errno(unix.EPERM)},
		{"K11 handle", unix.SYS_NAME_TO_HANDLE_AT, nil, errno(unix.EPERM)},
		{"K12 fanotify", unix.SYS_FANOTIFY_INIT, nil, errno(unix.EPERM)},
		{"K12 inotify", unix.SYS_INOTIFY_ADD_WATCH, nil, allow},
		{"K17 memory of another", unix.SYS_PROCESS_VM_READV, nil, errno(unix.EPERM)},
		{"K18 ptrace", unix.SYS_PTRACE, nil, errno(unix.EPERM)},
		{"K18 pidfd_getfd", unix.SYS_PIDFD_GETFD, nil, errno(unix.EPERM)},
		{"K20 a call of tomorrow", 600, nil, errno(unix.ENOSYS)},
		{"K20 the last number there is", 0x3fffffff, nil, errno(unix.ENOSYS)},
		{"K24 not dumpable", unix.SYS_PRCTL, []uint64{unix.PR_SET_DUMPABLE, 0}, errno(0)},
		{"X09 own argument area", unix.SYS_PRCTL, []uint64{unix.PR_SET_MM}, errno(unix.EPERM)},
		{"a name for a thread", unix.SYS_PRCTL, []uint64{unix.PR_SET_NAME}, allow},
		{"io_uring", unix.SYS_IO_URING_SETUP, nil, errno(unix.EPERM)},
		{"Unix stream", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC}, allow},
		{"Unix datagram", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_DGRAM}, errno(unix.EPERM)},
		{"TCP", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_NONBLOCK, unix.IPPROTO_TCP}, allow},
		{"TCP over IPv6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_STREAM}, allow},
		{"N03 UDP", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_DGRAM}, errno(unix.EAFNOSUPPORT)},
		{"N03 raw", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_RAW}, errno(unix.EAFNOSUPPORT)},
		{"N03 packet", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, unix.SOCK_RAW}, errno(unix.EAFNOSUPPORT)},
		{"N03 vsock", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM}, errno(unix.EAFNOSUPPORT)},
		{"N03 alg", unix.SYS_SOCKET, []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET}, errno(unix.EAFNOSUPPORT)},
		{"N03 route", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, allow},
		{"N03 audit", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}, errno(unix.EAFNOSUPPORT)},
		{"a family with high bits", unix.SYS_SOCKET, []uint64{unix.AF_PACKET | 1<<32, unix.SOCK_RAW}, errno(unix.EAFNOSUPPORT)},
		{"typing into the terminal", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, errno(unix.EPERM)},
		{"the same with high bits, which the kernel drops", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI | 1<<32}, errno(unix.EPERM)},
		{"size of the terminal", unix.SYS_IOCTL, []uint64{0, unix.TIOCGWINSZ}, allow},
		{"attributes by ioctl", unix.SYS_IOCTL, []uint64{0, unix.FS_IOC_SETFLAGS}, errno(unix.EPERM)},
	}
	m := newMachine(t, everything)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := m.call(t, filter.Arch, test.nr, test.args...); got != test.want {
				t.Errorf("got %#x, want %#x", got, test.want)
			}
		})
	}
}

func TestForeignABIs(t *testing.T) {
	m := newMachine(t, everything)
	for _, arch := range []uint32{unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, 0} {
		if got := m.call(t, arch, unix.SYS_READ); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("K21 architecture %#x: got %#x, want the process killed", arch, got)
		}
	}
	if got := m.call(t, filter.Arch, 0x40000000|unix.SYS_OPENAT); got != errno(unix.ENOSYS) {
		t.Errorf("K21 x32: got %#x, want ENOSYS", got)
	}
}

// Every number up to the highest that any table knows gets exactly what its
// table says, whatever is switched on.
func TestEveryNumber(t *testing.T) {
	for name, o := range map[string]filter.Options{
		"all": everything, "none": {}, "exec": {Exec: true}, "metadata": {Exec: true, Metadata: true},
		"files": {Files: true}, "connect": {Connect: true, Datagrams: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, tables, seen := newMachine(t, o), filter.Tables(), 0
			for nr := range uint32(1024) {
				want := errno(unix.ENOSYS)
				switch n := int(nr); {
				case slices.Contains(tables.Special, n):
					continue
				case slices.Contains(tables.Harmless, n):
					want = allow
				case slices.Contains(tables.Refused, n):
					want = errno(unix.EPERM)
				case slices.Contains(tables.Exec, n) && o.Exec, slices.Contains(tables.Files, n) && o.Files,
					slices.Contains(tables.Metadata, n) && o.Metadata, slices.Contains(tables.Connect, n) && o.Connect:
					want = notify
				case slices.Contains(tables.Exec, n), slices.Contains(tables.Files, n),
					slices.Contains(tables.Metadata, n), slices.Contains(tables.Connect, n):
					want = allow
				}
				if want != errno(unix.ENOSYS) {
					seen++
				}
				if got := m.call(t, filter.Arch, nr); got != want {
					t.Errorf("call %d: got %#x, want %#x", nr, got, want)
				}
			}
			if seen < 250 {
				t.Errorf("saw %d calls of the tables; there are more", seen)
			}
		})
	}
}

// A number in two tables would be decided by whichever came last.
func TestTablesAreDisjoint(t *testing.T) {
	tables, seen := filter.Tables(), map[int]string{}
	for name, list := range map[string][]int{
		"harmless": tables.Harmless, "refused": tables.Refused, "exec": tables.Exec, "files": tables.Files,
		"metadata": tables.Metadata, "connect": tables.Connect,
	} {
		for _, nr := range list {
			if other, ok := seen[nr]; ok {
				t.Errorf("call %d is in %s and in %s", nr, other, name)
			}
			seen[nr] = name
		}
	}
	if len(seen) < 300 {
		t.Errorf("saw %d calls; there are more", len(seen))
	}
}

func TestFitsTheKernel(t *testing.T) {
	n := len(filter.Build(everything))
	if n == 0 || n > 4096 {
		t.Errorf("%d instructions; the kernel takes 4096", n)
	}
}
