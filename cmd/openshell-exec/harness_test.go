package main_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/audit"
	"github.com/openshell-policy/openshell/schemas"
)

// nobody is the user that unprivileged runs have.
const nobody = 65534

// mode is who runs the real binary.
type mode struct {
	name string
	pod  bool // as nobody, without new privileges, under a container's default profile
}

func modes() []mode {
	if os.Getuid() == 0 {
		return []mode{{"root", false}, {"pod", true}}
	}
	return []mode{{"user", false}}
}

// built are the programs that the tests run, built once.
type built struct{ dir string }

var building struct {
	once sync.Once
	built
	err error
}

// need skips where a tool or the kernel lacks something, unless that is asked to
// be a failure.
func need(t testing.TB, err error, what string) {
	t.Helper()
	if err == nil {
		return
	}
	if os.Getenv("OPENSHELL_REQUIRE_KERNEL") == "1" {
		t.Fatalf("%s: %v", what, err)
	}
	t.Skipf("%s: %v", what, err)
}

// programs builds openshell-exec as it is shipped, and the attackers.
func programs(t testing.TB) built {
	t.Helper()
	building.once.Do(func() {
		_, gcc := exec.LookPath("gcc")
		if building.err = gcc; gcc != nil {
			return
		}
		building.dir, building.err = os.MkdirTemp("", "openshell-exec-bin")
		if building.err == nil {
			building.err = build(building.dir)
		}
	})
	need(t, building.err, "build the programs")
	return building.built
}

func build(dir string) error {
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-o", dir, ".", "../openshell-gateway")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	sources, err := filepath.Glob("testdata/attackers/*.c")
	if err != nil || len(sources) == 0 {
		return errors.Join(err, errors.New("no attackers"))
	}
	for _, c := range append(sources, "testdata/podprofile.c") {
		name := strings.TrimSuffix(filepath.Base(c), ".c")
		if out, err := exec.Command("gcc", "-O1", "-Wall", "-pthread", "-static", "-o", filepath.Join(dir, name), c).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", c, err, out)
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	status := m.Run()
	if building.dir != "" {
		_ = os.RemoveAll(building.dir)
	}
	os.Exit(status)
}

// world is one sandbox's folders and policy.
type world struct {
	t    testing.TB
	mode mode
	bin  string
	dir  string // of everything
	work string // writable
	args []string
	env  []string
	// spec is the policy's, in which WORK stands for the folder; "" where it comes
	// from a gateway.
	spec string
}

// plain is a policy of files that is decided open by open; commands are free.
const plain = `
  filesystem:
    writable: ["WORK/**", "/tmp/openshell-none/**"]
    readonly: ["/etc/**", "BIN/**"]
    blocked: ["/etc/shadow", "/root/.ssh/**", "**/.env", "**/credentials*", "WORK/secret/key"]`

// strict is the policy P0 of the cases.
const strict = `
  filesystem:
    writable: ["WORK/**"]
    readonly: ["/etc/**", "BIN/**"]
    blocked: ["/etc/shadow", "/root/.ssh/**", "**/.env", "**/credentials*"]
  execution:
    allowed_commands: ["git *", "python *", "node *"]
    blocked_commands: ["rm -rf /", "curl * | bash", "wget * | sh"]`

func newWorld(t testing.TB, m mode, spec string) *world {
	t.Helper()
	bin := programs(t).dir
	dir, err := os.MkdirTemp("/tmp", "openshell-exec-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, mode: m, bin: bin, dir: dir, work: filepath.Join(dir, "work"), spec: spec}
	for _, d := range []string{dir, w.work, filepath.Join(dir, "audit"), filepath.Join(dir, "home")} {
		if err := errors.Join(os.MkdirAll(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			t.Fatal(err)
		}
		w.own(d)
	}
	return w
}

func (w *world) own(file string) {
	if w.mode.pod {
		if err := os.Lchown(file, nobody, nobody); err != nil {
			w.t.Fatal(err)
		}
	}
}

// file puts a file below the writable folder.
func (w *world) file(name, text string, perm os.FileMode) string {
	w.t.Helper()
	file := filepath.Join(w.work, name)
	for d := filepath.Dir(file); len(d) > len(w.work); d = filepath.Dir(d) {
		if err := os.MkdirAll(d, 0o755); err != nil {
			w.t.Fatal(err)
		}
		w.own(d)
	}
	if err := errors.Join(os.WriteFile(file, []byte(text), perm), os.Chmod(file, perm)); err != nil {
		w.t.Fatal(err)
	}
	w.own(file)
	return file
}

func (w *world) expand(s string) string {
	return strings.NewReplacer("WORK", w.work, "BIN", w.bin, "DIR", w.dir).Replace(s)
}

// policy writes the policy file and returns its path.
func (w *world) policy(spec string) string {
	w.t.Helper()
	file := filepath.Join(w.dir, "policy.yaml")
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: test}\nspec:" + w.expand(spec) + "\n"
	next := file + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o644), os.Rename(next, file)); err != nil {
		w.t.Fatal(err)
	}
	return file
}

// result is what a command did.
type result struct {
	status int
	out    string // both outputs
}

// limit bounds one run.
const limit = 120 * time.Second

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	w.t.Helper()
	argv := []string{filepath.Join(w.bin, "openshell-exec"), "--home", filepath.Join(w.dir, "home")}
	if w.spec != "" {
		argv = append(argv, "--policy", w.policy(w.spec), "--audit", filepath.Join(w.dir, "audit"))
	}
	argv = append(append(append(argv, w.args...), "--"), args...)
	if w.mode.pod {
		argv = append([]string{filepath.Join(w.bin, "podprofile")}, argv...)
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = w.work
	cmd.Env = append([]string{
		"PATH=" + w.bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + filepath.Join(w.dir, "home"),
		"LANG=C", "WORK=" + w.work, "BIN=" + w.bin,
	}, w.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if w.mode.pod {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// run runs a command in the sandbox.
func (w *world) run(args ...string) result {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out bytes.Buffer
	cmd := w.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%q: %v\n%s", args, err, out.String())
	}
	if ctx.Err() != nil {
		w.t.Fatalf("%q did not end in %s\n%s", args, limit, out.String())
	}
	return result{cmd.ProcessState.ExitCode(), out.String()}
}

// sh runs a script in the sandbox.
func (w *world) sh(script string) result {
	w.t.Helper()
	return w.run("sh", "-c", w.expand(script))
}

// records reads the audit log.
func (w *world) records() []*schemas.Record {
	w.t.Helper()
	var out []*schemas.Record
	for r, err := range audit.Records(filepath.Join(w.dir, "audit"), audit.Position{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// denials are the records of decisions that refused something.
func (w *world) denials() []*schemas.Record {
	var out []*schemas.Record
	for _, r := range w.records() {
		if r.Custom.Type == schemas.RecordDecision && r.Result != nil && !r.Result.Allow {
			out = append(out, r)
		}
	}
	return out
}

func (r result) expect(t testing.TB, status int, contains string) {
	t.Helper()
	if r.status != status || !strings.Contains(r.out, contains) {
		t.Errorf("status %d, want %d; output, want %q in it:\n%s", r.status, status, contains, r.out)
	}
}

// repository puts a Git repository with one commit into the folder.
func (w *world) repository() {
	w.t.Helper()
	for _, args := range [][]string{
		{"init", "-q", "repo"}, {"-C", "repo", "-c", "user.name=n", "-c", "user.email=n@x", "commit", "-q", "--allow-empty", "-m", "one"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Env = w.work, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.dir, "home")}
		if w.mode.pod {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
}
