package shim

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/schemas"
)

// ends are the pipes that a process holds, by what it can do with them.
type ends struct{ reads, writes []string }

// flow is what feeds what among the processes of a sandbox, at one moment. It is
// read from the descriptors they really hold; so it does not matter how they
// came by them, or which program started first.
type flow struct {
	c         *call
	processes map[int]ends
	parents   map[int]int
}

// refusal is a denial with the input that it is about.
type refusal struct {
	input    *schemas.DecisionInput
	decision schemas.Decision
}

// pipeline judges an execution together with the commands that feed it, and those
// it feeds, through pipes that are held now; nil lets it pass.
func (c *call) pipeline(x *execution, j *judged) *refusal {
	own := descriptors(x.caller.tgid)
	if len(own.reads) == 0 && len(own.writes) == 0 {
		return nil
	}
	f := c.flow()
	f.processes[x.caller.tgid] = own
	up, down := f.reach(x.caller.tgid, false), f.reach(x.caller.tgid, true)
	if len(up) == 0 && len(down) == 0 {
		return nil
	}
	in := c.connected(j, c.s.commandsOf(up), c.s.commandsOf(down))
	if in == nil {
		return nil
	}
	input := c.execInput(in)
	if d := c.decide(input); d.Code == schemas.CodeBlockedCommand && !d.Passes() {
		return &refusal{input, d}
	}
	return nil
}

// connected is the input that lists what feeds the commands, the commands, and
// what they feed; nil if nothing is known of either side.
func (c *call) connected(j *judged, up, down []schemas.Command) *schemas.ExecInput {
	if len(up) == 0 && len(down) == 0 {
		return nil
	}
	in := *j.input.Exec
	own := j.process.commands
	in.Commands = slices.Concat(up, own, down)
	above := indexes(0, len(up))
	for i := range own {
		own := &in.Commands[len(up)+i]
		shifted := slices.Clone(above)
		for _, k := range own.Upstream {
			shifted = append(shifted, k+len(up))
		}
		own.Upstream = shifted
	}
	all := indexes(0, len(up)+len(own))
	for i := range down {
		in.Commands[len(up)+len(own)+i].Upstream = all
	}
	return &in
}

func indexes(from, to int) []int {
	out := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}

// commandsOf are the commands that processes were started with, on their own.
func (s *Supervisor) commandsOf(pids []int) []schemas.Command {
	var out []schemas.Command
	for _, pid := range pids {
		known, _ := s.procs.get(pid)
		for _, c := range known.commands {
			if c.Origin == "" {
				c.Upstream = []int{}
				out = append(out, c)
			}
		}
	}
	return out
}

func (c *call) flow() *flow {
	f := &flow{c: c, processes: map[int]ends{}, parents: map[int]int{}}
	f.add(c.s.opts.Init)
	return f
}

// add reads a process and those below it.
func (f *flow) add(pid int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	if pid != f.c.s.opts.Init {
		f.processes[pid] = descriptors(pid)
	}
	for _, t := range tasks {
		children, _ := os.ReadFile(dir + "/" + t.Name() + "/children")
		for _, field := range strings.Fields(string(children)) {
			child, err := strconv.Atoi(field)
			if _, seen := f.parents[child]; err == nil && !seen {
				f.parents[child] = pid
				f.add(child)
			}
		}
	}
}

// descriptors reads which pipes a process holds.
func descriptors(pid int) (e ends) {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd/"
	list, err := os.Open(dir)
	if err != nil {
		return e
	}
	defer list.Close()
	names, _ := list.Readdirnames(-1)
	for _, name := range names {
		to, err := os.Readlink(dir + name)
		if err != nil || !strings.HasPrefix(to, "pipe:[") {
			continue
		}
		var st unix.Stat_t // of the link: its mode is the descriptor's
		if unix.Lstat(dir+name, &st) != nil {
			continue
		}
		if st.Mode&unix.S_IRUSR != 0 {
			e.reads = append(e.reads, to)
		}
		if st.Mode&unix.S_IWUSR != 0 {
			e.writes = append(e.writes, to)
		}
	}
	return e
}

// reach returns the processes whose output reaches a process, or with down those
// that its output reaches, also through others. What passes through a parent of
// either is the parent's own doing and ends there: the program that starts
// everything would connect everything.
func (f *flow) reach(pid int, down bool) []int {
	seen := map[int]bool{pid: true}
	var out []int
	for queue := []int{pid}; len(queue) > 0; queue = queue[1:] {
		from := f.processes[queue[0]]
		ends := from.reads
		if down {
			ends = from.writes
		}
		for other, e := range f.processes {
			far := e.writes
			if down {
				far = e.reads
			}
			if seen[other] || f.above(other, pid) || f.above(pid, other) || !meet(ends, far) {
				continue
			}
			seen[other] = true
			out, queue = append(out, other), append(queue, other)
		}
	}
	slices.Sort(out)
	return out
}

// above tells whether a process is a parent of another, at any remove.
func (f *flow) above(pid, of int) bool {
	for p := f.parents[of]; p != 0; p = f.parents[p] {
		if p == pid {
			return true
		}
	}
	return false
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
