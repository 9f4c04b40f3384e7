//go:build linux

package ns

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fresh are top-level folders that the sandbox does not share with the host:
// they are made anew, or left out.
var fresh = []string{"proc", "sys", "dev", "tmp", "run", "home", "root", "mnt", "media", "boot", "lost+found", "workspace", "srv"}

// A tree is a detached copy of a mount, to be put at a path of the new root.
type tree struct {
	path string
	fd   int
	dir  bool
}

// buildRoot puts the new root together on cfg.Stage and makes it the root.
func buildRoot(cfg *Config) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// Copies are taken before anything is mounted, so that no mount of ours hides
	// what they are of.
	links, trees, err := shown(cfg)
	if err != nil {
		return err
	}
	workspace, err := openWorkspace(cfg)
	if err != nil {
		return err
	}
	if err := mountTmpfs(cfg.Stage, "mode=0755,size=4m", unix.MS_NOSUID|unix.MS_NODEV); err != nil {
		return err
	}
	steps := []func() error{
		func() error { return place(cfg.Stage, links, trees) },
		func() error { return attachWorkspace(cfg, workspace) },
		func() error { return buildMemory(cfg) },
		func() error { return buildDev(cfg.Stage) },
		func() error { return mountProc(cfg.Stage) },
		func() error { return writeFiles(cfg) },
		func() error { return enter(cfg.Stage) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// shown returns the host's top-level links, and copies of what is to be seen.
func shown(cfg *Config) (links map[string]string, trees []tree, err error) {
	entries, err := os.ReadDir("/")
	if err != nil {
		return nil, nil, err
	}
	links = map[string]string{}
	for _, e := range entries {
		path := "/" + e.Name()
		switch {
		case slices.Contains(fresh, e.Name()):
		case e.Type()&os.ModeSymlink != 0:
			if links[path], err = os.Readlink(path); err != nil {
				return nil, nil, err
			}
		case e.IsDir():
			t, err := copyTree(path, true)
			if err != nil {
				return nil, nil, err
			}
			trees = append(trees, t)
		}
	}
	for _, path := range cfg.Show {
		t, err := copyTree(path, true)
		if err != nil {
			return nil, nil, err
		}
		trees = append(trees, t)
	}
	return links, trees, nil
}

// copyTree takes a detached copy of a mount and what is mounted below it.
func copyTree(path string, readonly bool) (tree, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return tree{}, fmt.Errorf("copy the mount of %s: %w", path, err)
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if readonly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr); err != nil {
		return tree{}, fmt.Errorf("protect the copy of %s: %w", path, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return tree{}, err
	}
	return tree{path, fd, st.Mode&unix.S_IFMT == unix.S_IFDIR}, nil
}

// place puts links and copies into the new root.
func place(root string, links map[string]string, trees []tree) error {
	for path, target := range links {
		if err := os.Symlink(target, filepath.Join(root, path)); err != nil {
			return err
		}
	}
	for _, t := range trees {
		if err := attach(root, t); err != nil {
			return err
		}
	}
	return nil
}

// attach mounts a copy at its path below root. No part of the path is a link:
// root is ours, and what is mounted there is read-only.
func attach(root string, t tree) error {
	defer unix.Close(t.fd)
	at := filepath.Join(root, t.path)
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil && t.dir {
		err = os.MkdirAll(at, 0o755)
	} else if err == nil {
		err = touch(at)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("show %s: %w", t.path, err)
	}
	if err := unix.MoveMount(t.fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("show %s: %w", t.path, err)
	}
	return nil
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func mountTmpfs(path, options string, flags uintptr) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", path, err)
	}
	return nil
}

// buildMemory makes the folders that live in memory.
func buildMemory(cfg *Config) error {
	size := "size=" + strconv.FormatInt(cfg.TmpBytes, 10)
	for _, m := range []struct{ path, options string }{
		{"/tmp", "mode=1777," + size},
		{"/run", "mode=0755,size=4m"},
		{"/home", "mode=0755," + size},
	} {
		at := filepath.Join(cfg.Stage, m.path)
		if err := os.MkdirAll(at, 0o755); err != nil {
			return err
		}
		if err := mountTmpfs(at, m.options, unix.MS_NOSUID|unix.MS_NODEV); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/root", "/sys", "/mnt", "/srv", cfg.Home} {
		if err := os.MkdirAll(filepath.Join(cfg.Stage, dir), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// filesDir holds the files of ours, as the sandbox sees it.
const filesDir = "/run/openshell"

// writeFiles puts small files of ours over the host's.
func writeFiles(cfg *Config) error {
	if err := os.Mkdir(filepath.Join(cfg.Stage, filesDir), 0o755); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(cfg.Files)) {
		source := filepath.Join(cfg.Stage, filesDir, filepath.Base(path))
		if err := os.WriteFile(source, []byte(cfg.Files[path]), 0o444); err != nil {
			return err
		}
		if filepath.Dir(path) == filesDir {
			continue // it is where it belongs
		}
		resolved, err := resolveBelow(cfg.Stage, path)
		if err != nil {
			continue // the host has no such file, so nothing asks for it
		}
		if err := unix.Mount(source, resolved, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("replace %s: %w", path, err)
		}
	}
	return nil
}

// resolveBelow follows links with root as the root.
func resolveBelow(root, path string) (string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, strings.TrimPrefix(path, "/"), &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
}

// enter makes the staged tree the root, read-only, and lets go of the old one.
func enter(stage string) error {
	if err := os.Chdir(stage); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	for _, path := range []string{"/", "/run"} {
		attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
		if err := unix.MountSetattr(unix.AT_FDCWD, path, 0, attr); err != nil {
			return fmt.Errorf("protect %s: %w", path, err)
		}
	}
	return nil
}
