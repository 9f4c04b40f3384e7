package sandboxctl_test

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl"
)

func TestRuns(t *testing.T) {
	runs := sandboxctl.Runs{Dir: t.TempDir()}
	if _, ok := runs.Get("sb-a1b2c3"); ok {
		t.Error("a run before any was saved")
	}
	if err := runs.Save(sandboxctl.Run{ID: "sb-a1b2c3", Runtime: "none", Command: []string{"true"}}); err != nil {
		t.Fatal(err)
	}
	run, ok := runs.Get("sb-a1b2c3")
	if !ok || run.PID != os.Getpid() || !run.Alive() {
		t.Errorf("got %+v, %t; want this process, alive", run, ok)
	}
	run.Birth += "1"
	if run.Alive() {
		t.Error("another process with the number is taken for it")
	}
	runs.Remove("sb-a1b2c3")
	if _, ok := runs.Get("sb-a1b2c3"); ok {
		t.Error("a run after it was removed")
	}
}

func TestStop(t *testing.T) {
	tests := map[string]string{
		"ends when asked": "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done",
		"must be killed":  "trap '' TERM; echo ready; while :; do sleep 0.01; done",
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", script)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			run := sandboxctl.Run{ID: "sb-a1b2c3", PID: cmd.Process.Pid}
			run.Birth = sandboxctl.Birth(run.PID)
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			if err := run.Stop(100 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-time.After(5 * time.Second):
				t.Error("it still runs")
			}
			if run.Alive() {
				t.Error("it counts as alive")
			}
		})
	}
}
