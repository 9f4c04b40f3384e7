package filter

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// test compares the low or high half of one argument under a mask.
type test struct {
	arg   int
	high  bool
	mask  uint32 // 0 means all bits
	value uint32
}

// rule is an action for a call whose arguments pass every test; the first rule
// that does decides. A rule without tests always does.
type rule struct {
	tests  []test
	action uint32
}

func equal(arg int, value uint32) test { return test{arg: arg, value: value} }

// namespaces are the CLONE_NEW* flags of clone(2).
var namespaces = []uint32{
	unix.CLONE_NEWNS, unix.CLONE_NEWUSER, unix.CLONE_NEWPID, unix.CLONE_NEWNET, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS,
	unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME,
}

// special lists the calls that are decided by their arguments, by number.
func special(o Options) map[int][]rule {
	eperm := fail(unix.EPERM)
	m := map[int][]rule{
		unix.SYS_SOCKET:     sockets(o),
		unix.SYS_SOCKETPAIR: {{[]test{equal(0, unix.AF_UNIX)}, allow}, {nil, fail(unix.EAFNOSUPPORT)}},
		unix.SYS_IOCTL:      ioctls(),
		unix.SYS_PRCTL: {
			// A process that cannot be read cannot be judged, so it only believes
			// that it is not dumpable.
			{[]test{equal(0, unix.PR_SET_DUMPABLE)}, fail(0)},
			{[]test{equal(0, unix.PR_SET_MM)}, eperm},
			{[]test{equal(0, unix.PR_SET_PTRACER)}, fail(0)},
			{nil, allow},
		},
		unix.SYS_PERSONALITY: {
			{[]test{equal(0, 0xffffffff)}, allow}, // asks only
			{[]test{equal(0, 0)}, allow},
			{[]test{equal(0, 0x0040000)}, allow}, // ADDR_NO_RANDOMIZE
			{nil, eperm},
		},
		// Structures in memory hide the flags of clone3: libraries fall back to
		// clone.
		unix.SYS_CLONE3: {{nil, fail(unix.ENOSYS)}},
	}
	var cloning []rule
	for _, flag := range namespaces {
		if flag == unix.CLONE_NEWTIME {
			continue // the low byte of clone's flags is a signal
		}
		cloning = append(cloning, rule{[]test{{arg: 0, mask: flag, value: flag}}, eperm})
	}
	m[unix.SYS_CLONE] = append(cloning, rule{nil, allow})
	if o.Files {
		// What O_PATH opens can only be named, and every use of the name is judged.
		path := test{arg: 2, mask: unix.O_PATH, value: unix.O_PATH}
		m[unix.SYS_OPENAT] = []rule{{[]test{path}, allow}, {nil, notify}}
	}
	return m
}

// sockets allows Unix and Internet stream sockets, and routing netlink sockets,
// with which programs ask for addresses.
func sockets(o Options) []rule {
	kind := func(family, kind uint32) []test {
		return []test{equal(0, family), {arg: 1, mask: 0xf, value: kind}}
	}
	rules := []rule{
		{kind(unix.AF_UNIX, unix.SOCK_STREAM), allow},
		{kind(unix.AF_UNIX, unix.SOCK_SEQPACKET), allow},
		{kind(unix.AF_INET, unix.SOCK_STREAM), allow},
		{kind(unix.AF_INET6, unix.SOCK_STREAM), allow},
		{[]test{equal(0, unix.AF_NETLINK), equal(2, unix.NETLINK_ROUTE)}, allow},
	}
	if o.Datagrams {
		rules = append(rules, rule{kind(unix.AF_INET, unix.SOCK_DGRAM), allow}, rule{kind(unix.AF_INET6, unix.SOCK_DGRAM), allow})
	}
	return append(rules, rule{[]test{equal(0, unix.AF_UNIX)}, fail(unix.EPERM)}, rule{nil, fail(unix.EAFNOSUPPORT)})
}

// ioctls refuses those that type into the terminal and those that change a
// file's attributes through a descriptor that is not open for writing.
func ioctls() []rule {
	var rules []rule
	for _, request := range []uint32{
		unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCCONS, unix.FS_IOC_SETFLAGS, 0x401c5820, /* FS_IOC_FSSETXATTR */
		unix.FS_IOC_SET_ENCRYPTION_POLICY, 0x40086602, /* 64-bit FS_IOC_SETFLAGS */
	} {
		rules = append(rules, rule{[]test{equal(1, request)}, fail(unix.EPERM)})
	}
	return append(rules, rule{nil, allow})
}

// special emits the rules of one call.
func (b *builder) special(nr int, rules []rule) {
	body := &builder{}
	for _, r := range rules {
		body.rule(r)
	}
	n := len(body.program)
	if n > 255 {
		panic("filter: the rules of one call are too long for a jump") // of constants
	}
	b.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, uint8(n), uint32(nr))
	b.program = append(b.program, body.program...)
}

// rule emits one rule; where a test fails the next rule begins.
func (b *builder) rule(r rule) {
	var fails []int
	for _, t := range r.tests {
		offset := offsetArg(t.arg)
		if t.high {
			offset += 4
		}
		b.load(offset)
		if t.mask != 0 {
			b.emit(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, 0, 0, t.mask)
		}
		fails = append(fails, len(b.program))
		b.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 0, 0, t.value)
	}
	b.ret(r.action)
	for _, at := range fails {
		b.program[at].Jf = uint8(len(b.program) - at - 1)
	}
}

func sortedKeys(m map[int]uint32) []int { return slices.Sorted(maps.Keys(m)) }
