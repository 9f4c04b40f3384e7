package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const lockFile = "lock"

// lock is the writer's hold on a log. The file holds the writer's process id
// while the log is open, so that the next writer knows of one that did not close
// it.
type lock struct {
	f       *os.File
	unclean bool // the writer before did not close the log
}

// errLocked says that another process writes the log.
type errLocked struct{ dir, pid string }

func (e *errLocked) Error() string {
	s := fmt.Sprintf("audit log %s is being written by another process", e.dir)
	if e.pid != "" {
		s += " (pid " + e.pid + ")"
	}
	return s
}

// IsLocked tells whether Open failed because another process writes the log.
func IsLocked(err error) bool { return errors.As(err, new(*errLocked)) }

func takeLock(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	content, _ := io.ReadAll(io.LimitReader(f, 32))
	pid := strings.TrimSpace(string(content))
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &errLocked{dir, Printable(pid)}
		}
		return nil, fmt.Errorf("lock audit log: %w", err)
	}
	l := &lock{f: f, unclean: pid != ""}
	if err := l.write(strconv.Itoa(os.Getpid()) + "\n"); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock audit log: %w", err)
	}
	return l, nil
}

func (l *lock) write(content string) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	if _, err := l.f.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	return l.f.Sync()
}

// release lets go of the log. Clean says that it was closed whole.
func (l *lock) release(clean bool) error {
	var err error
	if clean {
		err = l.write("")
	}
	return errors.Join(err, l.f.Close())
}
