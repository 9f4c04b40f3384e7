package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/audit"
)

// mounted mounts a file system for a test; it needs root. CI sets
// OPENSHELL_REQUIRE_KERNEL, which makes that a failure.
func mounted(t *testing.T, args ...string) (dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("OPENSHELL_REQUIRE_KERNEL") != "" {
			t.Fatal("only root can mount")
		}
		t.Skip("only root can mount")
	}
	dir = t.TempDir()
	mount(t, append(args, dir)...)
	t.Cleanup(func() { unmount(t, dir) })
	return dir
}

func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v: %s", args, err, out)
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	for try := 0; ; try++ {
		err := unix.Unmount(dir, 0)
		if err == nil {
			return
		}
		if try == 50 {
			t.Errorf("unmount %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// TestFullFileSystem fills a small disk: the log refuses records then, loses none
// that it took, and goes on when there is room again.
func TestFullFileSystem(t *testing.T) {
	for _, mode := range []audit.Mode{audit.Strict, audit.Bounded} {
		t.Run(string(mode), func(t *testing.T) {
			root := mounted(t, "-t", "tmpfs", "-o", "size=3m", "tmpfs")
			m := &madeLog{dir: filepath.Join(root, "log")}
			l := openLog(t, m.dir, audit.Options{Mode: mode, SegmentBytes: 128 << 10, QueueRecords: 32})
			filler := filepath.Join(root, "filler")
			taken, refusals := 0, 0
			for round := range 3 {
				ended := time.Now().Add(20 * time.Second)
				for i := 0; ; i++ {
					if i == 40 {
						fillUp(t, filler)
					}
					err := l.Append(context.Background(), sample(fmt.Sprintf("/%d", taken)))
					if err == nil {
						taken++
					} else if refusals++; !strings.Contains(err.Error(), "no space left") {
						t.Fatal(err)
					} else {
						break
					}
					if time.Now().After(ended) {
						t.Fatalf("round %d: %d records taken by a full disk", round, i)
					}
				}
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
				var err error = context.DeadlineExceeded
				for err != nil && time.Now().Before(ended) {
					err = l.Append(context.Background(), sample(fmt.Sprintf("/%d", taken)))
				}
				if err != nil {
					t.Fatal(err)
				}
				taken++
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			got := readAll(t, m.dir)
			for i, r := range got {
				if want := fmt.Sprintf("/%d", i); r.Input.Network.Path != want {
					t.Fatalf("record %d is %s, want %s", i+1, r.Input.Network.Path, want)
				}
			}
			if r := m.verify(t); len(got) != taken || refusals < 3 || len(r.Findings) > 0 {
				t.Errorf("%d records, %d taken, %d refused; %+v", len(got), taken, refusals, r.Findings)
			}
		})
	}
}

// fillUp takes what room there is.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		return // there is not even room for a name
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

// TestReadOnlyFileSystem: nothing is written to, but everything can be read and
// verified.
func TestReadOnlyFileSystem(t *testing.T) {
	root := mounted(t, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
	m := &madeLog{dir: filepath.Join(root, "log")}
	opts := audit.Options{SegmentBytes: 64 << 10}
	l := openLog(t, m.dir, opts)
	for range 200 {
		if err := l.Append(context.Background(), sample("/x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mount(t, "-o", "remount,ro", root)
	if l, err := audit.Open(m.dir, opts); err == nil {
		l.Close()
		t.Error("a log was opened that cannot be written")
	} else if !strings.Contains(err.Error(), "read-only file system") {
		t.Errorf("got %v", err)
	}
	if r := m.verify(t); len(r.Findings) > 0 || r.Records != 200 {
		t.Errorf("%+v", r)
	}
	mount(t, "-o", "remount,rw", root)
	l = openLog(t, m.dir, opts)
	if err := l.Append(context.Background(), sample("/x")); err != nil {
		t.Error(err)
	}
	l.Close()
	if got := readAll(t, m.dir); len(got) != 201 {
		t.Errorf("%d records", len(got))
	}
}

// shutDown makes a file system stop at once, as if the disk had gone: what was
// not synced is lost, and every operation fails (FS_IOC_SHUTDOWN with
// EXT4_GOING_FLAGS_NOLOGFLUSH).
func shutDown(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags := uint32(2)
	const shutdown = 0x8004587d
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&flags))); errno != 0 {
		t.Fatal(errno)
	}
}

// TestLostDisk takes the disk away under load, several times. What was
// acknowledged is there when it is mounted again; what was not is refused.
func TestLostDisk(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 96<<20); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	root := mounted(t, "-o", "loop", image)
	m := &madeLog{dir: filepath.Join(root, "log")}
	acked := map[uint64]string{}
	for round := range 6 {
		n := len(acked)
		loseDisk(t, root, m.dir, acked, round)
		unmount(t, root)
		image = copyDisk(t, image)
		mount(t, "-o", "loop", image, root)
		l, err := audit.Open(m.dir, audit.Options{SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		checkAcked(t, m.dir, acked, round)
		if r := m.verify(t); len(r.Findings) > 0 {
			t.Fatalf("round %d: %+v", round, r)
		}
		if len(acked) == n {
			t.Errorf("round %d: nothing was acknowledged", round)
		}
	}
}

// copyDisk takes a lost disk to another machine, as it were: as long as another
// mount namespace still holds the old mount, such as that of a sandbox, mounting
// the same disk would give the file system again that was shut down.
func copyDisk(t *testing.T, image string) string {
	t.Helper()
	next := filepath.Join(t.TempDir(), "image")
	if out, err := exec.Command("cp", "--sparse=always", image, next).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	return next
}

func loseDisk(t *testing.T, root, dir string, acked map[uint64]string, round int) {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{SegmentBytes: 64 << 10, Overdue: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	before, down := len(acked), false
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				r := sample(fmt.Sprintf("/%d/%d/%d", round, w, i))
				if l.Append(context.Background(), r) != nil {
					return
				}
				mu.Lock()
				if !down {
					acked[r.Custom.Seq] = r.Input.Network.Path
				}
				mu.Unlock()
			}
		})
	}
	for begun := false; !begun; time.Sleep(time.Millisecond) {
		mu.Lock()
		begun = len(acked) > before
		mu.Unlock()
	}
	time.Sleep(time.Duration(30+rand.IntN(250)) * time.Millisecond)
	// What is acknowledged from now on nobody would have seen: the power is off. (A
	// sync that runs while ext4 is shut down can return 0 for what it has not done.)
	mu.Lock()
	down = true
	mu.Unlock()
	shutDown(t, root)
	wg.Wait()
	if err := l.Close(); err == nil {
		t.Error("a log on a lost disk closed well")
	}
}
