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
// came by them, or which program started first. What ended since held what it
// held when it was executed: its output may still be in the pipe.
type flow struct {
	c       *call
	nodes   []node
	parents map[int]int
}

// node is a process that lives, or an execution that was.
type node struct {
	pid      int
	ends     ends
	above    []int // parents, at any remove
	held     bool  // the ends are those held at the execution
	commands []schemas.Command
}

// refusal is a denial with the input that it is about.
type refusal struct {
	input    *schemas.DecisionInput
	decision schemas.Decision
}

// pipeline judges an execution together with the commands that feed it, and those
// it feeds, through pipes that are held now; nil lets it pass.
func (c *call) pipeline(x *execution, j *judged) *refusal {
	own := node{pid: x.process, held: true, ends: descriptors(x.process)}
	if len(own.ends.reads) == 0 && len(own.ends.writes) == 0 {
		return nil
	}
	// One at a time: of two ends that are judged at once, the second sees the first.
	c.s.piping.Lock()
	defer c.s.piping.Unlock()
	f := c.flow()
	own.above = f.chain(own.pid)
	own.commands = direct(j.process.commands)
	c.s.procs.trace(own)
	in := c.connected(j, f.reach(own, false), f.reach(own, true))
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

// direct are the commands that were executed themselves, on their own.
func direct(commands []schemas.Command) []schemas.Command {
	var out []schemas.Command
	for _, c := range commands {
		if c.Origin == "" {
			c.Upstream = []int{}
			out = append(out, c)
		}
	}
	return out
}

func (c *call) flow() *flow {
	f := &flow{c: c, parents: map[int]int{}}
	f.add(c.s.opts.Init)
	for i := range f.nodes {
		f.nodes[i].above = f.chain(f.nodes[i].pid)
	}
	f.nodes = append(f.nodes, c.s.procs.traces()...)
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
		known, _ := f.c.s.procs.get(pid)
		f.nodes = append(f.nodes, node{pid: pid, ends: descriptors(pid), commands: direct(known.commands)})
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

// chain lists the parents of a process, nearest first.
func (f *flow) chain(pid int) (above []int) {
	for p := f.parents[pid]; p != 0; p = f.parents[p] {
		above = append(above, p)
	}
	return above
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

// reach returns the commands whose output reaches a process, or with down those
// that its output reaches, also through others. A parent counts with what it held
// when it was executed, and nothing passes through it: what it opened since, to
// read what it starts, is its own doing, and the program that starts everything
// would connect everything.
func (f *flow) reach(own node, down bool) (out []schemas.Command) {
	seen := make([]bool, len(f.nodes))
	for queue := []node{own}; len(queue) > 0; queue = queue[1:] {
		near := queue[0].ends.reads
		if down {
			near = queue[0].ends.writes
		}
		for i, other := range f.nodes {
			far := other.ends.writes
			if down {
				far = other.ends.reads
			}
			parent := slices.Contains(own.above, other.pid)
			if seen[i] || other.pid == own.pid || parent && !other.held || !meet(near, far) {
				continue
			}
			seen[i] = true
			out = append(out, other.commands...)
			if !parent {
				queue = append(queue, other)
			}
		}
	}
	return out
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
