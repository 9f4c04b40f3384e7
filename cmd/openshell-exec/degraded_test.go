package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Where nothing can be traced an argument cannot be held, so the policy is not
// enforced whole: that is refused, or run on demand with Landlock and the filter.
func TestDegraded(t *testing.T) {
	for _, m := range modes() {
		run := func(w *world, args ...string) (string, error) {
			cmd := w.command(t.Context(), args...)
			outer := exec.Command(filepath.Join(w.bin, "noptrace"), cmd.Args...)
			outer.Dir, outer.Env, outer.SysProcAttr = cmd.Dir, cmd.Env, cmd.SysProcAttr
			out, err := outer.CombinedOutput()
			return string(out), err
		}
		t.Run("refused/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, blocking)
			out, err := run(w, "sh", "-c", "echo ran")
			if err == nil || err.(*exec.ExitError).ExitCode() != 125 || !strings.Contains(out, "OSP6004") || !strings.Contains(out, "level floor") || strings.Contains(out, "ran\n") {
				t.Errorf("%v: %s", err, out)
			}
		})
		t.Run("on demand/"+m.name, func(t *testing.T) {
			w := newWorld(t, m, blocking)
			w.args = []string{"--allow-degraded"}
			out, err := run(w, "sh", "-c", "echo ran > x && cat x; cat "+w.dir+"/policy.yaml; unshare -r true; echo ended")
			if err != nil || !strings.Contains(out, "warning: level floor") || !strings.Contains(out, "ran\n") || !strings.Contains(out, "ended") {
				t.Errorf("%v: %s", err, out)
			}
			if strings.Count(out, "ermission denied")+strings.Count(out, "not permitted") < 2 {
				t.Errorf("the floor does not hold: %s", out)
			}
		})
	}
}
