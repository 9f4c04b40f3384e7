package filter

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// Options say what the supervisor takes part in.
type Options struct {
	// Exec notifies of execve and execveat.
	Exec bool
	// Files notifies of every call that takes a path and opens, makes, moves or
	// removes something.
	Files bool
	// Metadata notifies of calls that change modes, owners, attributes and times.
	Metadata bool
	// Connect notifies of connect.
	Connect bool
	// Datagrams allows Internet datagram sockets.
	Datagrams bool
}

// Any tells whether the filter notifies at all.
func (o Options) Any() bool { return o.Exec || o.Files || o.Metadata || o.Connect }

// Actions, as seccomp(2) has them.
const (
	allow  = unix.SECCOMP_RET_ALLOW
	notify = unix.SECCOMP_RET_USER_NOTIF
	kill   = unix.SECCOMP_RET_KILL_PROCESS
)

func fail(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// Offsets in struct seccomp_data (seccomp(2)); the low half of an argument comes
// first on the machines that are supported.
const (
	offsetNr   = 0
	offsetArch = 4
)

func offsetArg(i int) uint32 { return uint32(16 + 8*i) }

// Build returns the filter.
func Build(o Options) []unix.SockFilter {
	b := &builder{}
	b.load(offsetArch)
	b.unless(arch, kill)
	b.load(offsetNr)
	if x32 != 0 {
		b.atLeast(x32, fail(unix.ENOSYS))
	}
	decided := special(o)
	for _, nr := range slices.Sorted(maps.Keys(decided)) {
		b.special(nr, decided[nr])
	}
	verdicts := map[int]uint32{}
	for _, nr := range harmless {
		verdicts[nr] = allow
	}
	for _, nr := range refused {
		verdicts[nr] = fail(unix.EPERM)
	}
	b.decided(verdicts, o)
	b.tree(verdicts)
	return b.program
}

// decided sets the verdict on what the policy decides.
func (b *builder) decided(verdicts map[int]uint32, o Options) {
	for _, g := range []struct {
		calls  []int
		notify bool
	}{{execCalls, o.Exec}, {fileCalls, o.Files}, {metadataCalls, o.Metadata}, {connectCalls, o.Connect}} {
		for _, nr := range g.calls {
			verdicts[nr] = allow
			if g.notify {
				verdicts[nr] = notify
			}
		}
	}
}

// builder assembles a program. The accumulator holds the call's number at the
// beginning of each rule.
type builder struct{ program []unix.SockFilter }

func (b *builder) emit(code uint16, jt, jf uint8, k uint32) {
	b.program = append(b.program, unix.SockFilter{Code: code, Jt: jt, Jf: jf, K: k})
}

func (b *builder) load(offset uint32) { b.emit(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0, 0, offset) }

func (b *builder) ret(action uint32) { b.emit(unix.BPF_RET|unix.BPF_K, 0, 0, action) }

func (b *builder) unless(value, action uint32) {
	b.emit(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, 1, 0, value)
	b.ret(action)
}

func (b *builder) atLeast(value, action uint32) {
	b.emit(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 1, value)
	b.ret(action)
}

// tree decides the rest by binary search over runs of numbers with one verdict.
func (b *builder) tree(verdicts map[int]uint32) {
	type run struct {
		from   int
		action uint32
	}
	runs := []run{{0, fail(unix.ENOSYS)}}
	last := -1
	for _, nr := range sortedKeys(verdicts) {
		if nr > last+1 && runs[len(runs)-1].action != fail(unix.ENOSYS) {
			runs = append(runs, run{last + 1, fail(unix.ENOSYS)})
		}
		if runs[len(runs)-1].action != verdicts[nr] {
			runs = append(runs, run{nr, verdicts[nr]})
		}
		last = nr
	}
	runs = append(runs, run{last + 1, fail(unix.ENOSYS)})
	var walk func(part []run)
	walk = func(part []run) {
		if len(part) == 1 {
			b.ret(part[0].action)
			return
		}
		mid := len(part) / 2
		at := len(b.program)
		b.emit(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, 0, 0, uint32(part[mid].from))
		walk(part[:mid])
		distance := len(b.program) - at - 1
		if distance > 255 {
			// Too far for a conditional jump: go over an unconditional one.
			rest := slices.Clone(b.program[at+1:])
			b.program = append(b.program[:at], unix.SockFilter{})
			b.program[at] = unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jt: 0, Jf: 1, K: uint32(part[mid].from)}
			b.emit(unix.BPF_JMP|unix.BPF_JA, 0, 0, uint32(distance))
			b.program = append(b.program, rest...)
		} else {
			b.program[at].Jt = uint8(distance)
		}
		walk(part[mid:])
	}
	walk(runs)
}
