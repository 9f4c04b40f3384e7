//go:build linux

package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits bound what a sandbox may use; 0 is no limit.
type Limits struct {
	MemoryBytes int64
	CPUs        float64
	Processes   int64
}

// Usage is what a sandbox uses.
type Usage struct {
	CPU         time.Duration // in all so far
	MemoryBytes int64
	PeakBytes   int64
	OOMKills    int64
}

// cgroupRoot is where version 2 of the kernel's control groups is mounted.
const cgroupRoot = "/sys/fs/cgroup"

// A group is a sandbox's control group.
type group struct{ dir string }

// newGroup makes the control group of a sandbox below this process's own, or
// below the root for root. Its error is errNoGroups where this user may make none.
func newGroup(id string, limits Limits) (*group, error) {
	parent, err := groupParent()
	if err != nil {
		return nil, err
	}
	g := &group{filepath.Join(parent, "openshell-"+id)}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %w", errNoGroups, err)
	}
	if err := g.limit(limits); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

var errNoGroups = errors.New("no control groups for this user")

// groupParent finds a group in which memory, CPU and processes are controlled
// for the groups below it, or makes it so.
func groupParent() (string, error) {
	if _, err := os.Stat(filepath.Join(cgroupRoot, "cgroup.controllers")); err != nil {
		return "", fmt.Errorf("%w: %w", errNoGroups, err)
	}
	if os.Geteuid() == 0 {
		return cgroupRoot, enable(cgroupRoot)
	}
	own, err := ownGroup()
	if err != nil {
		return "", err
	}
	// A group that holds processes gives its groups no controllers, so a delegated
	// one is looked for above.
	for dir := filepath.Dir(own); len(dir) > len(cgroupRoot); dir = filepath.Dir(dir) {
		if enable(dir) == nil {
			return dir, nil
		}
	}
	return "", errNoGroups
}

func ownGroup() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(cgroupRoot, path), nil
		}
	}
	return "", errNoGroups
}

func enable(dir string) error {
	have, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return fmt.Errorf("%w: %w", errNoGroups, err)
	}
	for _, controller := range []string{"memory", "cpu", "pids"} {
		if bytes.Contains(have, []byte(controller)) {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("%w: %w", errNoGroups, err)
		}
	}
	return nil
}

func (g *group) limit(l Limits) error {
	set := map[string]string{"memory.oom.group": "0"}
	if l.MemoryBytes > 0 {
		set["memory.max"], set["memory.swap.max"] = strconv.FormatInt(l.MemoryBytes, 10), "0"
	}
	if l.CPUs > 0 {
		set["cpu.max"] = fmt.Sprintf("%d 100000", int64(l.CPUs*100000))
	}
	if l.Processes > 0 {
		set["pids.max"] = strconv.FormatInt(l.Processes, 10)
	}
	for name, value := range set {
		err := os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0)
		if err != nil && !(errors.Is(err, fs.ErrNotExist) && name == "memory.swap.max") {
			return fmt.Errorf("limit %s: %w", name, err)
		}
	}
	return nil
}

// open returns the folder, for a process to be born in.
func (g *group) open() (*os.File, error) { return os.Open(g.dir) }

// usage reads what the group has used.
func (g *group) usage() (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(filepath.Join(g.dir, "cpu.stat"))
	if err != nil {
		return u, err
	}
	u.CPU = time.Duration(keyed(stat, "usage_usec")) * time.Microsecond
	events, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	if err != nil {
		return u, err
	}
	u.OOMKills = keyed(events, "oom_kill")
	if u.MemoryBytes, err = g.number("memory.current"); err != nil {
		return u, err
	}
	u.PeakBytes, _ = g.number("memory.peak") // since Linux 5.19
	return u, nil
}

func (g *group) number(name string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// keyed reads one value of a file of "key value" lines.
func keyed(data []byte, key string) int64 {
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return n
		}
	}
	return 0
}

// remove deletes the group, killing what is left in it.
func (g *group) remove() {
	_ = os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0)
	for range 50 {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// processLimits are the resource limits that stand in for a control group. They
// bind each process, so they are weaker.
func (s *Sandbox) processLimits() map[int]uint64 {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0}
	if n := s.opts.Limits.MemoryBytes; n > 0 {
		limits[unix.RLIMIT_DATA] = uint64(n)
	}
	if n := s.opts.Limits.Processes; n > 0 {
		limits[unix.RLIMIT_NPROC] = uint64(n)
	}
	return limits
}
