//go:build linux

package local

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What a sandbox left in an overlay is applied inside of the workspace and
// nowhere else, whatever it put there.
func TestHostileOverlay(t *testing.T) {
	base := t.TempDir()
	workspace, dir, outside := filepath.Join(base, "workspace"), filepath.Join(base, "sandbox"), filepath.Join(base, "outside")
	for _, d := range []string{workspace, filepath.Join(workspace, "real"), filepath.Join(dir, "upper", "real"), filepath.Join(dir, "work"), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(outside, "secret"), "theirs")
	put(filepath.Join(workspace, "gone"), "x")
	put(filepath.Join(workspace, "real", "kept"), "x")
	// The workspace has a link out of it, and the sandbox wrote "through" it.
	if err := os.Symlink(outside, filepath.Join(workspace, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "upper", "link"), 0o755); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(dir, "upper", "link", "secret"), "ours")
	put(filepath.Join(dir, "upper", "real", "new\nname"), "new")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "upper", "passwd")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(dir, "upper", "gone"), unix.S_IFCHR, 0); err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
	if err := noteOverlay(dir, workspace); err != nil {
		t.Fatal(err)
	}
	o, err := OpenOverlay(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Apply(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(got) != "theirs" {
		t.Errorf("outside of the workspace stands %q, %v", got, err)
	}
	if got, err := os.ReadFile(filepath.Join(workspace, "link", "secret")); err != nil || string(got) != "ours" {
		t.Errorf("the folder that took the link's place holds %q, %v", got, err)
	}
	if got, err := os.Readlink(filepath.Join(workspace, "passwd")); err != nil || got != "/etc/passwd" {
		t.Errorf("the link is %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(workspace, "real", "kept")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(workspace, "gone")); err == nil && os.Geteuid() == 0 {
		t.Error("what was deleted is still there")
	}
	if _, err := OpenOverlay(dir); err == nil {
		t.Error("the overlay is still there")
	}
}
