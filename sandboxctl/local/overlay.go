//go:build linux

package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Overlay is what a sandbox changed of a workspace, kept aside. Paths in the
// sandbox's part are data of whoever ran in it: no link there is followed.
type Overlay struct {
	// Workspace is the folder that the sandbox saw.
	Workspace string `json:"workspace"`

	dir   string // the sandbox's
	upper *os.Root
}

// OverlayChange is one difference. Kind is A for added, M for changed and D for
// deleted.
type OverlayChange struct {
	Kind string
	Path string // relative to the workspace
}

// errNoOverlay says that a sandbox has no changes aside.
var errNoOverlay = errors.New("no changes are kept")

func overlayPath(dir string) string { return filepath.Join(dir, "overlay.json") }

// noteOverlay writes down what the overlay lies over.
func noteOverlay(dir, workspace string) error {
	text, err := json.Marshal(Overlay{Workspace: workspace})
	if err != nil {
		return err
	}
	return os.WriteFile(overlayPath(dir), text, 0o600)
}

// OpenOverlay opens the overlay of the sandbox of a folder.
func OpenOverlay(dir string) (*Overlay, error) {
	text, err := os.ReadFile(overlayPath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoOverlay
	}
	o := &Overlay{dir: dir}
	if err == nil {
		err = json.Unmarshal(text, o)
	}
	if err == nil {
		o.upper, err = os.OpenRoot(filepath.Join(dir, "upper"))
	}
	return o, err
}

// Changes lists the differences, by path.
func (o *Overlay) Changes() ([]OverlayChange, error) {
	var out []OverlayChange
	err := fs.WalkDir(o.upper.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		kind, err := o.kind(path, d)
		if err == nil && kind != "" {
			out = append(out, OverlayChange{kind, path})
		}
		return err
	})
	slices.SortFunc(out, func(a, b OverlayChange) int { return strings.Compare(a.Path, b.Path) })
	return out, err
}

// kind says what an entry of the overlay means; "" for a folder that is there
// only because something in it changed.
func (o *Overlay) kind(path string, d fs.DirEntry) (string, error) {
	below, err := os.Lstat(filepath.Join(o.Workspace, path))
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		return "", err
	}
	switch {
	case o.deleted(path, d):
		if !exists {
			return "", nil
		}
		return "D", nil
	case !exists:
		return "A", nil
	case d.IsDir() && below.IsDir():
		return "", nil
	}
	return "M", nil
}

// deleted tells whether an entry stands for one that was deleted: a character
// device 0/0, or, where users may make none, an empty file with an attribute.
func (o *Overlay) deleted(path string, d fs.DirEntry) bool {
	info, err := d.Info()
	if err != nil {
		return false
	}
	if info.Mode()&fs.ModeCharDevice != 0 {
		return true
	}
	var value [8]byte
	_, err = unix.Lgetxattr(filepath.Join(o.dir, "upper", path), "user.overlay.whiteout", value[:])
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// opaque tells whether a folder of the overlay hides all that was in it.
func (o *Overlay) opaque(path string) bool {
	var value [8]byte
	n, err := unix.Lgetxattr(filepath.Join(o.dir, "upper", path), "user.overlay.opaque", value[:])
	return err == nil && bytes.Equal(value[:n], []byte("y"))
}

// Apply makes the changes in the workspace, and ends the overlay. A link that the
// sandbox put where a folder was is not followed, so nothing outside of the
// workspace is touched.
func (o *Overlay) Apply() ([]OverlayChange, error) {
	changes, err := o.Changes()
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(o.Workspace)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(o.upper.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		return o.applyOne(root, path, d)
	})
	if err != nil {
		return nil, fmt.Errorf("apply changes: %w; nothing is lost, the rest is still kept", err)
	}
	return changes, o.Discard()
}

func (o *Overlay) applyOne(root *os.Root, path string, d fs.DirEntry) error {
	if o.deleted(path, d) {
		return root.RemoveAll(path)
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	below, err := root.Lstat(path)
	exists := err == nil
	if exists && (below.IsDir() != d.IsDir() || d.IsDir() && o.opaque(path)) {
		if err := root.RemoveAll(path); err != nil {
			return err
		}
		exists = false
	}
	switch {
	case d.IsDir():
		if !exists {
			err = root.Mkdir(path, info.Mode().Perm())
		} else {
			err = root.Chmod(path, info.Mode().Perm())
		}
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return o.applyLink(root, path, exists)
	case info.Mode().IsRegular():
		return o.applyFile(root, path, info.Mode().Perm())
	}
	return fmt.Errorf("%s is no file, folder or link", path)
}

func (o *Overlay) applyLink(root *os.Root, path string, exists bool) error {
	target, err := o.upper.Readlink(path)
	if err != nil {
		return err
	}
	if exists {
		if err := root.Remove(path); err != nil {
			return err
		}
	}
	return root.Symlink(target, path)
}

// applyFile replaces the file whole, so that nobody reads half of it.
func (o *Overlay) applyFile(root *os.Root, path string, mode fs.FileMode) error {
	src, err := o.upper.Open(path)
	if err != nil {
		return err
	}
	defer src.Close()
	tmp := path + ".openshell-apply"
	dst, err := root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	err = errors.Join(err, dst.Chmod(mode), dst.Close())
	if err == nil {
		err = root.Rename(tmp, path)
	}
	if err != nil {
		_ = root.Remove(tmp)
	}
	return err
}

// Discard forgets the changes.
func (o *Overlay) Discard() error {
	return errors.Join(
		o.upper.Close(),
		os.RemoveAll(filepath.Join(o.dir, "upper")),
		os.RemoveAll(filepath.Join(o.dir, "work")),
		os.Remove(overlayPath(o.dir)),
	)
}
