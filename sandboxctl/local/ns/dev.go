//go:build linux

package ns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// devices are the host's nodes that every program may use: none of them holds
// anything.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// buildDev makes /dev: the devices, terminals of its own and shared memory.
func buildDev(root string) error {
	dev := filepath.Join(root, "dev")
	if err := os.MkdirAll(dev, 0o755); err != nil {
		return err
	}
	if err := mountTmpfs(dev, "mode=0755,size=1m", unix.MS_NOSUID|unix.MS_NOEXEC); err != nil {
		return err
	}
	for _, name := range devices {
		at := filepath.Join(dev, name)
		if err := touch(at); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show /dev/%s: %w", name, err)
		}
	}
	for _, dir := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dev, dir), 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	if err := mountTmpfs(filepath.Join(dev, "shm"), "mode=1777,size=64m", unix.MS_NOSUID|unix.MS_NODEV); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	return nil
}

// The parts of /proc that are about the machine: root in a sandbox is root to
// them, so they are read-only or hidden whoever runs it.
var (
	machineFiles = []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "scsi", "acpi", "tty", "asound", "driver", "mtrr"}
	hiddenFiles  = []string{"kcore", "keys", "key-users", "latency_stats", "timer_list", "sched_debug", "kallsyms", "kpagecgroup", "kpagecount", "kpageflags", "vmallocinfo", "slabinfo"}
)

// mountProc mounts the process list of the sandbox's own pid namespace.
func mountProc(root string) error {
	at := filepath.Join(root, "proc")
	if err := os.MkdirAll(at, 0o555); err != nil {
		return err
	}
	if err := unix.Mount("proc", at, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	for _, name := range machineFiles {
		if err := cover(filepath.Join(at, name), filepath.Join(at, name), unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	for _, name := range hiddenFiles {
		if err := cover("/dev/null", filepath.Join(at, name), unix.MOUNT_ATTR_RDONLY); err != nil {
			return err
		}
	}
	return nil
}

// cover mounts one path over another, if there is such a one.
func cover(source, target string, attributes uint64) error {
	if _, err := os.Lstat(target); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("protect %s: %w", target, err)
	}
	attr := &unix.MountAttr{Attr_set: attributes | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOEXEC}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, 0, attr); err != nil {
		return fmt.Errorf("protect %s: %w", target, err)
	}
	return nil
}
