package sandboxctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Run says who supervises a sandbox on this machine, so that others can stop it,
// and notice that it is gone.
type Run struct {
	ID      string    `json:"id"`
	Runtime string    `json:"runtime"`
	Command []string  `json:"command"`
	Dir     string    `json:"dir"`
	PID     int       `json:"pid"` // of the supervisor
	Birth   string    `json:"birth"`
	Child   int       `json:"child,omitempty"` // pid of the command, where it has one here
	Started time.Time `json:"started"`
}

// Runs keeps Run records in a folder.
type Runs struct{ Dir string }

func (r Runs) path(id string) string { return filepath.Join(r.Dir, id+".json") }

// OutputPath is where a detached command's output goes.
func (r Runs) OutputPath(id string) string { return filepath.Join(r.Dir, id+".out") }

// Save records that this process supervises the sandbox.
func (r Runs) Save(run Run) error {
	run.PID = os.Getpid()
	run.Birth = birth(run.PID)
	data, err := json.Marshal(run)
	if err == nil {
		err = os.MkdirAll(r.Dir, 0o700)
	}
	if err == nil {
		err = replaceFile(r.path(run.ID), append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("record who runs %s: %w", run.ID, err)
	}
	return nil
}

// Get returns the record of a sandbox; false if there is none.
func (r Runs) Get(id string) (Run, bool) {
	var run Run
	data, err := os.ReadFile(r.path(id))
	if err != nil || json.Unmarshal(data, &run) != nil {
		return Run{}, false
	}
	return run, true
}

// Remove forgets a sandbox; what it wrote stays.
func (r Runs) Remove(id string) { _ = os.Remove(r.path(id)) }

// Alive tells whether the supervisor still runs: the same process, not another
// with its number.
func (r Run) Alive() bool {
	if syscall.Kill(r.PID, 0) != nil && !errors.Is(syscall.Kill(r.PID, 0), syscall.EPERM) {
		return false
	}
	return r.Birth == birth(r.PID)
}

// Stop asks the supervisor to end, and kills it and the command when it has not
// after the grace period.
func (r Run) Stop(grace time.Duration) error {
	deadline := time.Now().Add(grace)
	sig := syscall.SIGTERM
	for r.Alive() {
		if sig == syscall.SIGKILL && r.Child > 0 {
			_ = syscall.Kill(r.Child, sig)
		}
		if err := syscall.Kill(r.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", r.ID, err)
		}
		for r.Alive() && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
		sig, deadline = syscall.SIGKILL, time.Now().Add(time.Second)
	}
	return nil
}

// birth tells processes with one number apart: the start time in /proc/PID/stat,
// field 22 (proc_pid_stat(5)). A zombie has none.
func birth(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])) // the name before may hold anything
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
