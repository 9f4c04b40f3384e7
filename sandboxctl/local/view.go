//go:build linux

package local

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rootView is the file system of the sandbox, seen from outside. Links are
// followed within it.
type rootView struct{ fd int }

func openView(pid int) (*rootView, error) {
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &rootView{fd}, nil
}

func (v *rootView) close() { _ = unix.Close(v.fd) }

func (v *rootView) open(path string, flags uint64) (int, error) {
	name := strings.TrimPrefix(path, "/")
	if name == "" {
		name = "."
	}
	return unix.Openat2(v.fd, name, &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
}

// Stat implements the shim's view.
func (v *rootView) Stat(path string) (dir, exists bool) {
	fd, err := v.open(path, unix.O_PATH)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false, false
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, true
}

// Names implements the shim's view.
func (v *rootView) Names(path string) []string {
	fd, err := v.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil
	}
	d := os.NewFile(uintptr(fd), path)
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what could be read
	return names
}
