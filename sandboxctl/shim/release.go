package shim

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/tables"
)

// release lets an execution through and checks what became of it: the kernel
// reads path, arguments and environment from the caller's memory once more, and
// other threads and processes can change them meanwhile. So the caller is
// traced until the new program is loaded; what is not what was judged is killed
// before its first instruction.
func (c *call) release(j *judged) {
	tid := c.n.PID
	if err := sys.Seize(tid); err != nil {
		c.race(j, "the execution cannot be verified: "+err.Error())
		c.answer(unix.EACCES)
		return
	}
	if !c.valid() {
		c.letGo(tid)
		return
	}
	if c.s.tampered != nil {
		c.s.tampered(c, j)
	}
	if err := sys.Continue(c.s.opts.Listener, c.n.ID); err != nil {
		c.letGo(tid)
		return
	}
	// One that fails comes back to its program, and stops there.
	_ = sys.Interrupt(tid)
	stop, err := sys.WaitTraced()
	switch {
	case err != nil || stop.Gone:
	case stop.Exec:
		c.verify(stop.TID, j)
	default:
		_ = sys.Detach(stop.TID, stop.Signal)
	}
}

// letGo ends tracing of a thread that made no call after all.
func (c *call) letGo(tid int) {
	_ = sys.Interrupt(tid)
	stop, err := sys.WaitTraced()
	if err == nil && !stop.Gone {
		_ = sys.Detach(stop.TID, stop.Signal)
	}
}

// verify compares a process that was just loaded with what was judged.
func (c *call) verify(pid int, j *judged) {
	if difference := j.differs(pid); difference != "" {
		c.race(j, difference)
		_ = unix.Kill(pid, unix.SIGKILL)
		for {
			stop, err := sys.WaitTraced() // or its parent would wait for ever
			if err != nil || stop.Gone {
				return
			}
			_ = sys.Detach(stop.TID, unix.SIGKILL)
		}
	}
	c.s.procs.set(pid, j.process)
	_ = sys.Detach(pid, 0)
}

// differs says what of a stopped process is not what was judged; "" nothing.
func (j *judged) differs(pid int) string {
	dir := "/proc/" + strconv.Itoa(pid)
	var st unix.Stat_t
	if err := unix.Stat(dir+"/exe", &st); err != nil || (object{uint64(st.Dev), st.Ino}) != j.object {
		return "another file was executed"
	}
	var buf [8192]byte
	cmdline, err := readProc(dir+"/cmdline", buf[:])
	if err != nil || string(cmdline) != j.cmdline {
		return "the arguments changed"
	}
	environ, err := readProc(dir+"/environ", buf[:])
	if err != nil || !slices.Equal(loaderVariables(strings.Split(string(environ), "\x00")), j.loader) {
		return "the environment changed"
	}
	return ""
}

// readProc reads a file of /proc, into buf if it fits.
func readProc(file string, buf []byte) ([]byte, error) {
	data, err := sys.ReadSmall(file, buf)
	if err == sys.ErrTooLong {
		return os.ReadFile(file)
	}
	return data, err
}

func (c *call) race(j *judged, message string) {
	d := c.denial(schemas.CodeExecRace, message)
	c.record(j.input, &d)
}

// loaderVariables are the entries of an environment that change what a program
// runs, sorted.
func loaderVariables(env []string) []string {
	var out []string
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); tables.IsDeniedEnv(name) {
			out = append(out, e)
		}
	}
	slices.Sort(out)
	return out
}

// Scrub takes the variables out of an environment that change what programs run,
// and returns the names of what it took: set from outside, they would be taken
// for the sandbox's own doing.
func Scrub(env []string) (kept, dropped []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if tables.IsDeniedEnv(name) {
			dropped = append(dropped, name)
			continue
		}
		kept = append(kept, e)
	}
	return kept, dropped
}
