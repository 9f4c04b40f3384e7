package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The local runtime needs no root: where the tests run as root, it is tried as
// somebody else; elsewhere every test does.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("every test of this package runs as an ordinary user")
		return
	}
	dir, err := os.MkdirTemp("", "openshell-ordinary-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "openshell")
	copyProgram(t, bin)
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, work} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("setpriv", append([]string{"--reuid", "65534", "--regid", "65534", "--clear-groups", bin}, args...)...)
		cmd.Dir, cmd.Env = work, []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "OPENSHELL_STATE_DIR=" + filepath.Join(dir, "state")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Cleanup(func() { _, _ = run("gateway", "stop") })
	script := `id -u; touch a && echo wrote; touch .env || echo no .env; cat /etc/shadow || echo no shadow
rm -rf / || echo no rm; kill -9 1 2>/dev/null || echo no kill; head -c 1 /proc/1/mem || echo no memory
curl -sS --max-time 10 https://evil.example.com/ | grep -o host_not_in_policy`
	if err := os.WriteFile(filepath.Join(work, "t.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := run("sandbox", "create", "--policy", "dev", "--", "bash", "t.sh")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"(local, full)", "65534", "wrote", "no .env", "no shadow", "no rm", "no kill", "no memory", "host_not_in_policy"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing from\n%s", want, out)
		}
	}
}

// copyProgram copies this test's program to where others may execute it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
}
