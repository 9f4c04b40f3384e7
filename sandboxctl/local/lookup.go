//go:build linux

package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl"
)

// defaultPath is where programs are looked up without PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookup finds a program in the sandbox as a shell does. Its error is a
// *sandboxctl.StartError.
func (v *rootView) lookup(cmd Command) (string, error) {
	name := cmd.Args[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(cmd.Dir, name)
		}
		return name, v.executable(name)
	}
	var denied error
	for _, dir := range filepath.SplitList(pathOf(cmd.Env)) {
		if !filepath.IsAbs(dir) {
			continue
		}
		path := filepath.Join(dir, name)
		err := v.executable(path)
		if err == nil {
			return path, nil
		}
		var start *sandboxctl.StartError
		if errors.As(err, &start) && start.Status == sandboxctl.StatusNotExecutable {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &sandboxctl.StartError{Status: sandboxctl.StatusNotFound, Err: fmt.Errorf("%q: command not found in the sandbox", name)}
}

func (v *rootView) executable(path string) error {
	fd, err := v.open(path, unix.O_PATH)
	if err != nil {
		status := sandboxctl.StatusNotFound
		if errors.Is(err, unix.EACCES) {
			status = sandboxctl.StatusNotExecutable
		}
		return &sandboxctl.StartError{Status: status, Err: fmt.Errorf("%q: %w", path, err)}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return &sandboxctl.StartError{Status: sandboxctl.StatusNotExecutable, Err: fmt.Errorf("%q is not an executable", path)}
	}
	return nil
}

func pathOf(env []string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			return v
		}
	}
	return defaultPath
}
