package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// disk opens the files that records are written to. Tests hand in one that
// fails.
type disk interface {
	// create makes a new file with room reserved for size bytes.
	create(path string, size int64) (file, error)
	// open opens a file to append to it.
	open(path string, size int64) (file, error)
}

// file is what is needed of *os.File.
type file interface {
	Write([]byte) (int, error)
	Truncate(int64) error
	Close() error
	// Datasync makes what was written durable.
	Datasync() error
}

type realDisk struct{}

func (realDisk) create(path string, size int64) (file, error) {
	return openReserved(path, os.O_CREATE|os.O_EXCL, size)
}

func (realDisk) open(path string, size int64) (file, error) { return openReserved(path, 0, size) }

// openReserved reserves the room without changing the file's size, so that
// readers see only what was written. A full disk shows here, not in the middle of
// a batch.
func openReserved(path string, flags int, size int64) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|flags, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if err == nil || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return osFile{f}, nil
	}
	err = &os.PathError{Op: "fallocate", Path: path, Err: err}
	f.Close()
	if flags&os.O_CREATE != 0 {
		err = errors.Join(err, removeIfThere(path))
	}
	return nil, err
}

type osFile struct{ *os.File }

func (f osFile) Datasync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
