// Package clitest runs the commands as a user would, from txtar scripts, with
// exit statuses asserted by number.
//
// Beside the commands of testscript there are
//
//	status N command [arg...]   runs it; its exit status must be N
//	masked stdout|stderr FILE   the output must equal FILE, with times, ids, ages
//	                            and durations replaced by words (see Mask)
//	capture NAME                $NAME becomes the last stdout, without its newline
//	until N command [arg...]    runs it until its exit status is N, for 10 seconds
package clitest

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Params run the scripts of a folder with a state folder of their own, in a
// short path, because it holds Unix sockets. With update, files that outputs
// are compared with are written again.
func Params(t *testing.T, dir string, update bool) testscript.Params {
	return testscript.Params{
		Dir: dir, RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: update,
		Setup: func(env *testscript.Env) error {
			state := t.TempDir()
			env.Defer(func() { endGateway(filepath.Join(state, "openshell", "gateway.json")) })
			env.Setenv("XDG_STATE_HOME", state)
			env.Setenv("XDG_CONFIG_HOME", env.WorkDir+"/config")
			env.Setenv("HOME", env.WorkDir+"/home")
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "masked": masked, "capture": capture, "until": until,
		},
	}
}

// endGateway ends the gateway that a script left behind.
func endGateway(file string) {
	var serving struct{ PID int }
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &serving) != nil || serving.PID <= 1 {
		return
	}
	for range 100 {
		if syscall.Kill(serving.PID, syscall.SIGTERM) != nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(first(args))
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: status N command [arg...]")
	}
	if got := exitStatus(ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(first(args))
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: until N command [arg...]")
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		got := exitStatus(ts.Exec(args[1], args[2:]...))
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("exit status still %d, want %d\nstderr: %s", got, want, ts.ReadFile("stderr"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func masked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: masked stdout|stderr FILE")
	}
	got, want := Mask(ts.ReadFile(args[0])), ts.ReadFile(args[1])
	if got != want {
		ts.Fatalf("%s is\n%swant\n%s", args[0], got, want)
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

var masks = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`sb-[a-z0-9]{6}\b`), "sb-ID"},
	{regexp.MustCompile(`(?m)^\[\d\d:\d\d:\d\d\]`), "[TIME]"},
	{regexp.MustCompile(`\b\d+ ms\b`), "N ms"},
	{regexp.MustCompile(`\bstops at \d\d:\d\d\b`), "stops at HH:MM"},
	{regexp.MustCompile(`(?m)  \d+(s|m|h|d)(\d+(s|m|h))?$`), "  AGE"},
	{regexp.MustCompile(`(?m) +$`), ""},
}

// Mask replaces what differs from run to run: ids by sb-ID, times by [TIME],
// durations by N ms, and the age at the end of a line by AGE. The columns before
// keep their width less what an id lost.
func Mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.with)
	}
	return text
}
