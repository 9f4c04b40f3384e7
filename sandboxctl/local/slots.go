//go:build linux

package local

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/openshell-policy/openshell/sandboxctl/fault"
)

// Slot takes one of so many places in a folder; the sandbox has it until release,
// or until its supervisor ends, however it ends. The error has code CodeMany
// where all are taken; there is no moment in which more than most are held.
func Slot(dir string, most int) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for i := range most {
		f, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(i)), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		switch err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			return nil, errors.Join(err, f.Close())
		}
		_ = f.Close()
	}
	return nil, fault.New(fault.CodeMany, "%d of %d sandboxes running (sandbox.maxConcurrent)", most, most)
}
