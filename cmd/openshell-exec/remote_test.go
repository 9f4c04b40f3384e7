package main_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
	"github.com/openshell-policy/openshell/schemas/adminapi"
)

// gatewayProcess is a real gateway.
type gatewayProcess struct {
	w     *world
	cmd   *exec.Cmd
	state string
	addr  string // of the proxy
	log   bytes.Buffer
}

func (w *world) gateway() *gatewayProcess {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	g := &gatewayProcess{w: w, state: filepath.Join(w.dir, "gateway"), addr: ln.Addr().String()}
	_ = ln.Close()
	g.start()
	w.t.Cleanup(g.kill)
	return g
}

// start returns when the gateway is ready.
func (g *gatewayProcess) start() {
	t := g.w.t
	t.Helper()
	g.cmd = exec.Command(filepath.Join(g.w.bin, "openshell-gateway"), "--policies", filepath.Join(g.w.dir, "policy.yaml"),
		"--state-dir", g.state, "--listen-proxy", g.addr, "--listen-admin", "unix:"+filepath.Join(g.w.dir, "admin.sock"))
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the gateway is ready", func() bool {
		r, err := g.admin().Ready(context.Background())
		return err == nil && r.Ready
	})
}

func (g *gatewayProcess) kill() {
	if g.cmd != nil {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
		g.cmd = nil
	}
}

func (g *gatewayProcess) admin() *adminapi.Client {
	token, _ := os.ReadFile(filepath.Join(g.state, "admin.token")) // not there yet
	return adminapi.NewClient("unix:"+filepath.Join(g.w.dir, "admin.sock"), strings.TrimSpace(string(token)))
}

// bind makes a sandbox and has the world's commands run as it.
func (g *gatewayProcess) bind() adminapi.CreatedSandbox {
	t := g.w.t
	t.Helper()
	box, err := g.admin().Create(context.Background(), adminapi.CreateSandbox{Agent: "claude", Policy: "test"})
	if err != nil {
		t.Fatal(err)
	}
	token := filepath.Join(g.w.dir, "token")
	if err := os.WriteFile(token, []byte(box.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.w.own(token)
	g.w.spec, g.w.args = "", []string{"--gateway", "http://" + g.addr, "--token-file", token}
	return box
}

// reported are the denials that the gateway was told of.
func (g *gatewayProcess) reported() (paths []string) {
	for r, err := range audit.Records(filepath.Join(g.state, "received", "shims"), audit.Position{}) {
		if err == nil && r.Custom.Type == schemas.RecordDecision && r.Input != nil && r.Input.File != nil && !r.Result.Allow {
			paths = append(paths, r.Custom.Sandbox+" "+r.Input.File.Path)
		}
	}
	return paths
}

// until waits for a condition.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("%s: not within %s", what, limit)
}

func TestGateway(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			w.file(".env", "SECRET=1\n", 0o600)
			w.file("cert.pem", "certificate\n", 0o644)
			w.policy(plain)
			g := w.gateway()
			box := g.bind()
			s := w.start(t)
			s.do("cat .env; echo $HTTPS_PROXY", "http://"+box.ID+":"+box.Token+"@"+g.addr)
			s.do("cat .env", "Permission denied")
			until(t, "the denial reaches the gateway", func() bool { return contains(g.reported(), box.ID+" "+w.work+"/.env") })

			s.do("cat cert.pem", "certificate")
			w.policy(strings.Replace(plain, `"**/.env"`, `"**/.env", "**/*.pem"`, 1))
			until(t, "the next policy is in force", func() bool {
				s.send("cat cert.pem")
				return strings.Contains(s.output(), "cert.pem: Permission denied")
			})

			g.kill() // the last policy holds, and what is decided meanwhile is kept
			w.file("later.pem", "certificate\n", 0o644)
			s.do("cat later.pem", "Permission denied")
			g.start()
			until(t, "what waited reaches the gateway", func() bool { return contains(g.reported(), box.ID+" "+w.work+"/later.pem") })
			w.policy(plain)
			until(t, "the policy of the gateway that came back is in force", func() bool { s.send("cat later.pem"); return strings.Contains(s.output(), "certificate\ncertificate") })
		})
	}
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

// What cannot be asked is not run.
func TestGatewayAtTheStart(t *testing.T) {
	tests := []struct {
		name string
		// change breaks something.
		change func(w *world, g *gatewayProcess)
		out    string
	}{
		{"away", func(_ *world, g *gatewayProcess) { g.kill() }, "OSP6001: http://"},
		{"unknown token", func(w *world, _ *gatewayProcess) {
			_ = os.WriteFile(filepath.Join(w.dir, "token"), []byte("another"), 0o600)
		}, "OSP6002: the gateway answers 401"},
		{"no token", func(w *world, _ *gatewayProcess) { _ = os.Remove(filepath.Join(w.dir, "token")) }, "OSP6002: the sandbox's token: open"},
		{"empty token", func(w *world, _ *gatewayProcess) { _ = os.Truncate(filepath.Join(w.dir, "token"), 0) }, "holds no token"},
		{"no gateway there", func(w *world, g *gatewayProcess) { w.args[1] = "http://" + g.addr + "/x" }, "is no address of a gateway"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, modes()[0], plain)
			w.policy(plain)
			g := w.gateway()
			g.bind()
			test.change(w, g)
			w.args = append(w.args, "--gateway-wait", "2s")
			r := w.run("touch", filepath.Join(w.work, "ran"))
			r.expect(t, 125, test.out)
			if _, err := os.Stat(filepath.Join(w.work, "ran")); err == nil {
				t.Error("the command ran")
			}
		})
	}
}

// A gateway that comes late is waited for.
func TestGatewayComesLate(t *testing.T) {
	w := newWorld(t, modes()[0], plain)
	w.policy(plain)
	g := w.gateway()
	g.bind()
	g.kill()
	done := make(chan result, 1)
	go func() { done <- w.run("echo", "ran") }()
	time.Sleep(300 * time.Millisecond) // so that it has failed once, or not: both must work
	g.start()
	(<-done).expect(t, 0, "ran\n")
}

// The installed copy is what runs, from a folder that nobody may write to.
func TestInstall(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			w := newWorld(t, m, plain)
			dir := filepath.Join(w.work, "bin")
			w.file("bin/openshell-exec", "an older one", 0o600)
			cmd := w.command(t.Context(), "true")
			path := cmd.Args[:1]
			if m.pod {
				path = cmd.Args[:2]
			}
			install := exec.Command(path[0], append(append([]string{}, path[1:]...), "install", dir)...)
			install.SysProcAttr, install.Env = cmd.SysProcAttr, []string{}
			if out, err := install.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 || entries[0].Name() != "openshell-exec" {
				t.Fatalf("%v, %v", entries, err)
			}
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			args := append([]string{}, cmd.Args...)
			args[len(path)-1] = filepath.Join(dir, "openshell-exec")
			run := exec.Command(args[0], args[1:]...)
			run.Dir, run.Env, run.SysProcAttr = cmd.Dir, cmd.Env, cmd.SysProcAttr
			if out, err := run.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("folder that is not there", func(t *testing.T) {
		w := newWorld(t, modes()[0], plain)
		out, err := exec.Command(filepath.Join(w.bin, "openshell-exec"), "install", filepath.Join(w.dir, "none")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "OSP6010") {
			t.Errorf("%v: %s", err, out)
		}
	})
}
