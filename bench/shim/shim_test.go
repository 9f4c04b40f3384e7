package shim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// place has the programs, and a folder to work in.
type place struct {
	b    *testing.B
	dir  string
	work string
}

func newPlace(b *testing.B) *place {
	b.Helper()
	dir, err := os.MkdirTemp("/tmp", "openshell-bench-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &place{b: b, dir: dir, work: filepath.Join(dir, "work")}
	if err := os.Mkdir(p.work, 0o755); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", dir, "../../cmd/openshell-exec")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, cmd := range []*exec.Cmd{build, exec.Command("gcc", "-O1", "-o", filepath.Join(dir, "loop"), "testdata/loop.c")} {
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(p.work, "m.c"), []byte("#include <stdio.h>\n#include <stdlib.h>\nint main(){puts(\"x\");return 0;}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	return p
}

// shim is the command line of a sandbox under a policy.
func (p *place) shim(spec string, args ...string) []string {
	p.b.Helper()
	text := "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: bench}\nspec:" + strings.NewReplacer("WORK", p.work, "DIR", p.dir).Replace(spec) + "\n"
	file := filepath.Join(p.dir, "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		p.b.Fatal(err)
	}
	return append([]string{filepath.Join(p.dir, "openshell-exec"), "--policy", file, "--home", "/nonexistent", "--"}, args...)
}

// floor is decided by Landlock alone; trapped open by open; arguments has rules
// about the arguments of commands as well.
const (
	floor     = "\n  filesystem: {writable: [\"WORK/**\"], readonly: [\"DIR/loop\"]}"
	trapped   = "\n  filesystem: {writable: [\"WORK/**\"], readonly: [\"DIR/loop\"], blocked: [\"**/.env\"]}"
	arguments = floor + "\n  execution: {blocked_commands: [\"rm -rf /\", \"git push --force\", \"curl * | bash\"]}"
)

// number runs a command and returns what it prints last.
func (p *place) number(args ...string) float64 {
	p.b.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = p.work
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C", "TMPDIR=" + p.work}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		p.b.Fatalf("%q: %v\n%s", args, err, out)
	}
	fields := strings.Fields(string(out))
	n, err := strconv.ParseFloat(fields[len(fields)-1], 64)
	if err != nil {
		p.b.Fatal(err)
	}
	return n
}

const turns = 5

// compare reports the median of what is inside and of its ratio to what is
// outside.
func compare(b *testing.B, outside, inside func() float64) {
	b.Helper()
	for range b.N {
		var ins, ratios []float64
		for range turns {
			out, in := outside(), inside()
			ins, ratios = append(ins, in), append(ratios, in/out)
		}
		slices.Sort(ins)
		slices.Sort(ratios)
		b.ReportMetric(ins[turns/2]/1e3, "µs/each")
		b.ReportMetric(ratios[turns/2], "ratio")
	}
}

func BenchmarkShim(b *testing.B) {
	p := newPlace(b)
	loop := filepath.Join(p.dir, "loop")
	for _, c := range []struct {
		name, spec string
		args       []string
	}{
		{"exec/free", floor, []string{"spawn", "300", "/bin/true"}},
		{"exec/arguments", arguments, []string{"spawn", "300", "/bin/true"}},
		{"open/floor", floor, []string{"open", "20000", "/usr/bin/env"}},
		{"open/trapped", trapped, []string{"open", "5000", "/usr/bin/env"}},
		{"python/trapped", trapped, []string{"spawn", "5", "/usr/bin/python3", "-c", "import ssl, asyncio, json, email.message, http.client, unittest, sqlite3"}},
		{"gcc/trapped", trapped, []string{"spawn", "5", "/usr/bin/gcc", "-c", "m.c", "-o", "m.o"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p.b = b
			inside := p.shim(c.spec, append([]string{loop}, c.args...)...)
			compare(b, func() float64 { return p.number(append([]string{loop}, c.args...)...) }, func() float64 { return p.number(inside...) })
		})
	}
}

// took is how long a command takes.
func (p *place) took(args ...string) float64 {
	p.b.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = p.work
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		p.b.Fatalf("%q: %v\n%s", args, err, out)
	}
	return float64(time.Since(begun).Nanoseconds())
}

// Start is openshell-exec as a whole, with the policy compiled and the self-test,
// beside bubblewrap, which does neither.
func BenchmarkShimStart(b *testing.B) {
	p := newPlace(b)
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		b.Skip("bubblewrap is not installed")
	}
	inside := p.shim(arguments, "/bin/true")
	compare(b, func() float64 {
		return p.took(bwrap, "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "/bin/true")
	},
		func() float64 { return p.took(inside...) })
}

// Memory is the supervisor's, with 200 processes in the sandbox.
func BenchmarkShimMemory(b *testing.B) {
	p := newPlace(b)
	for range b.N {
		args := p.shim(arguments, "sh", "-c", `i=0; while [ $i -lt 200 ]; do sleep 600 & i=$((i+1)); done; echo all; wait`)
		cmd := exec.Command(args[0], args[1:]...)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			b.Fatal(err)
		}
		_, err = out.Read(make([]byte, 8))
		status, e := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil || e != nil {
			b.Fatal(err, e)
		}
		b.ReportMetric(kib(string(status), "VmRSS")/1024, "MiB")
		b.ReportMetric(kib(string(status), "RssAnon")/1024, "anon-MiB")
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// kib is a value of /proc/PID/status.
func kib(status, key string) float64 {
	_, rest, _ := strings.Cut(status, key+":")
	n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return n
}
