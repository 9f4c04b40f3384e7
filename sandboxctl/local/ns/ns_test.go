//go:build linux

package ns_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/sandboxctl/local/ns"
)

func TestMain(m *testing.M) {
	if os.Args[0] == ns.InitName {
		os.Exit(ns.Main(nil))
	}
	os.Exit(m.Run())
}

func config(t *testing.T) ns.Config {
	t.Helper()
	return ns.Config{
		Hostname: "openshell", Stage: t.TempDir(), Workspace: t.TempDir(), Home: "/home/agent", TmpBytes: 16 << 20,
		Files: map[string]string{"/etc/hosts": "127.0.0.1 localhost\n"}, Ports: []int{443, 80},
	}
}

func start(t *testing.T, cfg ns.Config) *ns.Sandbox {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s, err := ns.Start(ctx, cfg, ns.Options{CgroupFD: -1, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.Confine(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// sh runs a script in the sandbox and returns what it printed and its status.
func sh(t *testing.T, s *ns.Sandbox, script string) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	p, err := s.Spawn(ns.Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "HOME=/home/agent"}, Dir: ns.Workspace}, [3]*os.File{null, w, w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out)), p.Wait()
}

func TestWhatASandboxSees(t *testing.T) {
	cfg := config(t)
	if err := os.WriteFile(filepath.Join(cfg.Workspace, "file"), []byte("hello\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, cfg)
	tests := []struct{ name, script, want string }{
		{"the workspace", "cat /workspace/file; pwd", "hello\n/workspace"},
		{"its own processes", "cat /proc/1/comm; ls -d /proc/[1-9][0-9][0-9]* 2>/dev/null | wc -l | tr -d ' '", "exe\n0"},
		{"a name of its own", "uname -n", "openshell"},
		{"the same user", "id -u", fmt.Sprint(os.Getuid())},
		{"our hosts file", "cat /etc/hosts", "127.0.0.1 localhost"},
		{"no home of the host", "ls -A /root /home", "/home:\nagent\n\n/root:"},
		{"no sockets of the host", "ls /run | grep -c sock || true", "0"},
		{"only loopback", "grep -c : /proc/net/dev | tr -d ' '", "1"},
		{"no capabilities", "grep Cap /proc/self/status | sed 's/.*\\t//' | sort -u", "0000000000000000"},
		{"no way to gain any", "grep NoNewPrivs /proc/self/status | sed 's/.*\\t//'", "1"},
		{"devices", "echo x > /dev/null && head -c 4 /dev/zero | wc -c | tr -d ' '", "4"},
	}
	for _, tt := range tests {
		if got, status := sh(t, s, tt.script); got != tt.want || status != 0 {
			t.Errorf("%s: got %q, status %d, want %q", tt.name, got, status, tt.want)
		}
	}
}

func TestWhatASandboxCannotDo(t *testing.T) {
	s := start(t, config(t))
	for _, script := range []string{
		"touch /etc/x", "touch /usr/x", "touch /x", "touch /run/x", "echo x >> /etc/hosts", "mkdir /srv/x",
		"mount -t tmpfs none /tmp", "umount /proc", "mknod /tmp/null c 1 3", "chroot / true",
		"echo core > /proc/sys/kernel/core_pattern", "echo h > /proc/sysrq-trigger", "head -c 1 /proc/kcore | grep -q .", "test -s /proc/keys", "hostname other", "ip link add dummy0 type dummy", "kill -9 1; kill -0 1 && false",
	} {
		if out, status := sh(t, s, "{ "+script+"; } 2>&1"); status == 0 {
			t.Errorf("%s: succeeded: %s", script, out)
		}
	}
	if out, status := sh(t, s, "echo alive"); out != "alive" || status != 0 {
		t.Errorf("the sandbox is %q, %d", out, status)
	}
}

// A connection to any address arrives at the supervisor, with the address that
// it was meant for.
func TestConnectionsArriveAtTheSupervisor(t *testing.T) {
	s := start(t, config(t))
	ln := s.Listeners()[ns.Listener{Port: 443, Any: true}]
	if ln == nil {
		t.Fatal("no listener for 443")
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "meant for %s\n", c.LocalAddr())
			c.Close()
		}
	}()
	for _, address := range []string{"93.184.216.34", "10.0.0.1", "2001:db8::1"} {
		script := `import socket,sys; s=socket.create_connection(("` + address + `",443),5); print(s.recv(100).decode().strip())`
		out, status := sh(t, s, "python3 -c '"+script+"' 2>&1")
		if want := "meant for " + net.JoinHostPort(address, "443"); status != 0 || out != want {
			t.Errorf("%s: got %q, status %d, want %q", address, out, status, want)
		}
	}
	if out, status := sh(t, s, `python3 -c 'import socket; socket.create_connection(("93.184.216.34",25),3)' 2>&1`); status == 0 {
		t.Errorf("port 25 was reached: %s", out)
	}
	opened, err := s.Listen(ns.Listener{Port: 8443, Any: true}, ns.Listener{Port: 443, Any: true})
	if err != nil || len(opened) != 1 || opened[0].Port != 8443 {
		t.Errorf("opened %v, %v; want 8443 alone", opened, err)
	}
}

func TestStatusesAndErrors(t *testing.T) {
	s := start(t, config(t))
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 128 + 15} {
		if _, status := sh(t, s, script); status != want {
			t.Errorf("%s: status %d, want %d", script, status, want)
		}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, want := range map[string]syscall.Errno{"/etc/passwd": syscall.EACCES, "/nowhere/x": syscall.ENOENT, "/etc": syscall.EACCES} {
		_, err := s.Spawn(ns.Command{Path: name, Args: []string{name}, Dir: "/"}, [3]*os.File{null, null, null})
		var se *ns.SpawnError
		if !asSpawnError(err, &se) || se.Errno != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func asSpawnError(err error, target **ns.SpawnError) bool {
	se, ok := err.(*ns.SpawnError)
	*target = se
	return ok
}

func TestTerminal(t *testing.T) {
	s := start(t, config(t))
	p, err := s.Spawn(ns.Command{Path: "/bin/sh", Args: []string{"sh", "-c", "tty; read line; echo got $line"}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/", TTY: true}, [3]*os.File{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Terminal.Close()
	if _, err := p.Terminal.WriteString("word\n"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = io.Copy(&out, p.Terminal) // ends with EIO when the command does
	if got := out.String(); !strings.Contains(got, "/dev/pts/0") || !strings.Contains(got, "got word") || p.Wait() != 0 {
		t.Errorf("the terminal shows %q", got)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	cfg := config(t)
	s := start(t, cfg)
	out, status := sh(t, s, "setsid sleep 1000 >/dev/null 2>&1 & echo $!")
	if status != 0 || out == "" {
		t.Fatalf("%q, %d", out, status)
	}
	s.Close()
	if left, err := exec.Command("pgrep", "-f", "sleep 1000").Output(); err == nil {
		t.Errorf("processes are left: %s", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || bytes.Contains(mounts, []byte(cfg.Stage)) {
		t.Errorf("mounts are left (%v)", err)
	}
}

// Everything ends when the supervisor is killed.
func TestSupervisorKilled(t *testing.T) {
	if os.Getenv("NS_SUPERVISE") != "" {
		s := start(t, config(t))
		out, _ := sh(t, s, "setsid sleep 1001 >/dev/null 2>&1 & echo started")
		fmt.Println(out)
		select {}
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSupervisorKilled$", "-test.v")
	cmd.Env = append(os.Environ(), "NS_SUPERVISE=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, "started"); {
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, seen)
		}
		seen += string(buf[:n])
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for exec.Command("pgrep", "-f", "sleep 1001").Run() == nil {
		if time.Now().After(deadline) {
			t.Fatal("the sandbox outlived its supervisor")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestOverlay(t *testing.T) {
	cfg := config(t)
	cfg.Upper, cfg.Work = t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(cfg.Workspace, "file"), []byte("old\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, cfg)
	if out, status := sh(t, s, "echo new > file && echo more > other && cat file"); out != "new" || status != 0 {
		t.Fatalf("%q, %d", out, status)
	}
	s.Close()
	if got, err := os.ReadFile(filepath.Join(cfg.Workspace, "file")); err != nil || string(got) != "old\n" {
		t.Errorf("the workspace holds %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(cfg.Upper, "file")); err != nil || string(got) != "new\n" {
		t.Errorf("the overlay holds %q, %v", got, err)
	}
}
