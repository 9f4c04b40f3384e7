package bare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/shim"
	"github.com/openshell-policy/openshell/sandboxctl/shim/filter"
	"github.com/openshell-policy/openshell/sandboxctl/shim/floor"
	"github.com/openshell-policy/openshell/sandboxctl/shim/sys"
)

// probeName is argv[0] of the self-test's process.
const probeName = "openshell-probe"

// Finding is what the self-test found.
type Finding struct {
	Level shim.Level
	// ABI is the version of Landlock, 0 if there is none.
	ABI int
	// Lacks says what keeps the level from being higher.
	Lacks []string
}

// probeTime bounds the self-test.
const probeTime = 10 * time.Second

// Probe tries on this machine what a sandbox relies on: an open and an execution
// that are denied, an open in the Landlock domain that it does not allow, and an
// execution whose arguments change after they were judged, which must be killed
// before it begins.
func Probe(ctx context.Context) Finding {
	f := Finding{Level: shim.None, ABI: sys.LandlockABI()}
	if f.ABI < floor.MinABI {
		f.Lacks = append(f.Lacks, fmt.Sprintf("Landlock version %d is needed, the kernel offers %d", floor.MinABI, f.ABI))
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	lines, killed, err := runProbe(ctx, shim.ProbeConfig(probeDir()))
	if err != nil {
		f.Lacks = append(f.Lacks, err.Error())
		f.Level = f.without(ctx)
		return f
	}
	f.Lacks = missing(lines, killed)
	f.Level = shim.Pod
	if len(f.Lacks) > 0 {
		f.Level = f.without(ctx)
	}
	return f
}

// without finds the level that needs no supervisor.
func (f *Finding) without(ctx context.Context) shim.Level {
	config := shim.ProbeConfig(probeDir())
	config.Level, config.Mode, config.Filter = shim.Minimal, shim.Floor, filter.Options{}
	lines, _, err := runProbe(ctx, config)
	if err != nil || !contains(lines, "outside=permission denied") {
		f.Lacks = append(f.Lacks, "the Landlock domain and the filter cannot be entered")
		return shim.None
	}
	return shim.Minimal
}

// missing reads what the process reported.
func missing(lines []string, killed bool) (lacks []string) {
	for want, what := range map[string]string{
		"own=<nil>":                 "a file that may be opened is not handed over",
		"outside=permission denied": "the supervisor opens what the Landlock domain does not allow",
		"list=permission denied":    "an open that is denied succeeds",
		"exec=permission denied":    "an execution that is denied succeeds",
	} {
		if !contains(lines, want) {
			lacks = append(lacks, what)
		}
	}
	if !killed || contains(lines, shim.ProbeTampered) {
		lacks = append(lacks, "an execution that changes after it was judged is not stopped (ptrace)")
	}
	return lacks
}

func contains(lines []string, want string) bool {
	for _, l := range lines {
		if l == want {
			return true
		}
	}
	return false
}

func probeExe() string {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(exe, " (deleted)")
}

func probeDir() string { return filepath.Dir(probeExe()) }

// runProbe runs the process of the self-test and returns what it reported, and
// whether the change of its arguments was caught.
func runProbe(ctx context.Context, config shim.Config) (lines []string, killed bool, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "control")
	report, write, err := os.Pipe()
	if err != nil {
		return nil, false, err
	}
	defer report.Close()
	process, err := os.StartProcess("/proc/self/exe", []string{probeName}, &os.ProcAttr{
		Env: []string{}, Files: []*os.File{nil, write, nil, theirs},
	})
	_, _ = write.Close(), theirs.Close()
	if err != nil {
		return nil, false, fmt.Errorf("self-test: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = process.Kill() })
	defer stop()
	var caught atomic.Bool
	served, err := probeConfine(ctx, pair[0], config, func() { caught.Store(true) })
	if err == nil {
		lines = readLines(report)
	} else {
		_ = process.Kill()
	}
	err = errors.Join(err, ended(process))
	<-served // what it noticed last it has told by now
	return lines, caught.Load(), err
}

// ended waits until a process is dead before it asks for its status: the
// supervisor traces it, and a wait would take the tracer's stops.
func ended(p *os.Process) error {
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err == unix.ESRCH {
		return nil
	}
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n == 1 {
			break
		}
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("self-test: %w", err)
		}
	}
	if state, err := p.Wait(); err == nil && !state.Success() && state.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return fmt.Errorf("self-test: its process: %s", state)
	}
	return nil // its tracer may have been told already
}

// probeConfine has the process confined and begins to answer it; the channel is
// closed when the last answer was given.
func probeConfine(ctx context.Context, control int, config shim.Config, caught func()) (<-chan struct{}, error) {
	served := make(chan struct{})
	if err := send(control, message{Confine: &config}); err != nil {
		close(served)
		return served, err
	}
	m, files, err := receive(control)
	switch {
	case err != nil:
	case m.Confined == nil:
		err = errors.New("the process answered something else than that it is confined")
	case m.Confined.Error != "":
		err = errors.New(m.Confined.Error)
	}
	if err != nil || len(files) == 0 {
		close(served)
		if err != nil {
			err = fmt.Errorf("self-test: %w", err)
		}
		return served, err
	}
	s, err := shim.NewProbe(files[0], config, probeDir(), caught)
	_ = unix.Close(files[0]) // the supervisor has its own
	if err != nil {
		close(served)
		return served, fmt.Errorf("self-test: %w", err)
	}
	go func() {
		defer close(served)
		_ = s.Serve(ctx)
	}()
	return served, nil
}

func readLines(f *os.File) (lines []string) {
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

// probe is the process of the self-test.
func probe() int {
	runtime.LockOSThread()
	if len(os.Args) > 1 {
		fmt.Println(os.Args[1]) // it should not have come to this
		return 0
	}
	unix.CloseOnExec(controlFD)
	m, _, err := receive(controlFD)
	if err != nil || m.Confine == nil {
		return 1
	}
	exe := probeExe()
	g := &guest{}
	if g.confine(*m.Confine) != nil {
		return 1
	}
	own, err := unix.Open(exe, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	fmt.Printf("own=%v\n", errnoText(err))
	if err == nil {
		_ = unix.Close(own)
	}
	for name, dir := range map[string]string{"outside": "/", "list": filepath.Dir(exe)} {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		fmt.Printf("%s=%v\n", name, errnoText(err))
		if err == nil {
			_ = unix.Close(fd)
		}
	}
	if !m.Confine.Filter.Exec {
		return 0
	}
	fmt.Printf("exec=%v\n", errnoText(unix.Exec(exe, []string{probeName, shim.ProbeDenied}, nil)))
	_ = unix.Exec(exe, []string{probeName, shim.ProbeAllowed}, nil)
	return 1
}

func errnoText(err error) string { return fmt.Sprint(err) }
