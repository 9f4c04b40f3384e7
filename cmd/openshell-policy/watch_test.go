package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openshell-policy/openshell/internal/cli"
)

// shared is a buffer that may be read while a command writes.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

// take returns what was written since the last call.
func (s *shared) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.b.String()
	s.b.Reset()
	return text
}

// until waits for a text and returns everything up to now.
func (s *shared) until(t *testing.T, want string) string {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if got += s.take(); strings.Contains(got, want) {
			return got
		}
	}
	t.Fatalf("never printed %q, but %q", want, got)
	return ""
}

const watchedPolicy = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: SandboxPolicy\nmetadata: {name: p}\nspec: {network: {outbound: [{host: a.example.com, methods: [GET]}]}}\n"

const watchedTest = "apiVersion: openshell.nvidia.com/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\nspec:\n  policies: [../policies/p.yaml]\n  cases:\n    - {request: GET https://a.example.com/, expect: allow}\n"

// Tests run again when a policy elsewhere is replaced by a rename, when a test is
// written in place, when a file comes and when one goes, and survive a broken one.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"tests", "policies"} {
		if err := os.Mkdir(file(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("policies/p.yaml", watchedPolicy)
	write("tests/t_test.yaml", watchedTest)
	var out, errs shared
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	root := newRoot()
	root.SetArgs([]string{"test", file("tests"), "--watch"})
	root.SetOut(&out)
	root.SetErr(&errs)
	go func() { ended <- cli.Run(ctx, root) }()
	out.until(t, "1 file, 1 case, 0 failed")

	replace := func(name, text string) {
		t.Helper()
		write(name+".new", text)
		if err := os.Rename(file(name+".new"), file(name)); err != nil {
			t.Fatal(err)
		}
	}
	replace("policies/p.yaml", strings.Replace(watchedPolicy, "GET", "POST", 1))
	out.until(t, "1 file, 1 case, 1 failed")
	errs.until(t, "changed: "+file("policies/p.yaml"))
	replace("policies/p.yaml", watchedPolicy) // again: it is another file now
	out.until(t, "1 file, 1 case, 0 failed")
	write("tests/t_test.yaml", strings.Replace(watchedTest, "allow", "deny", 1))
	out.until(t, "1 file, 1 case, 1 failed")
	write("tests/t_test.yaml", watchedTest)
	out.until(t, "1 file, 1 case, 0 failed")
	write("tests/u_test.yaml", watchedTest)
	out.until(t, "2 files, 2 cases, 0 failed")
	if err := os.Remove(file("tests/u_test.yaml")); err != nil {
		t.Fatal(err)
	}
	out.until(t, "1 file, 1 case, 0 failed")
	write("policies/p.yaml", "kind: [")
	errs.until(t, "OSP1002")
	write("policies/p.yaml", watchedPolicy)
	out.until(t, "1 file, 1 case, 0 failed")
	stop()
	if status := <-ended; status != cli.ExitOK {
		t.Errorf("ended with %d", status)
	}
}

func TestWatchConcerns(t *testing.T) {
	r := &testRun{}
	for name, want := range map[string]bool{
		"a/p.yaml": true, "p.yml": true, "x_test.rego": true, "folder": true,
		".p.yaml.swp": false, ".git": false, "notes.txt": false, "p.yaml~": false, "cover.lcov": false,
	} {
		if got := r.concerns(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
}
