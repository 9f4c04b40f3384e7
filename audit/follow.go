package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/openshell-policy/openshell/schemas"
)

// pollEvery is how often Follow looks at the file when no event says so, for
// file systems that send none.
const pollEvery = time.Second

// Follow calls fn for every record the filter selects, first those in the file
// and then each that is appended, until the context ends (nil), fn fails or the
// file cannot be read. It waits for a file that does not exist yet.
func Follow(ctx context.Context, path string, f Filter, fn func(*schemas.Record) error) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	defer w.Close()
	if err := w.Add(filepath.Dir(path)); err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	t := &tail{path: path, filter: f, fn: fn}
	defer t.close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := t.advance(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.Events:
		case _, open := <-w.Errors: // an overflow: look at the file
			if !open {
				return nil
			}
		case <-tick.C:
		}
	}
}

// tail is a reader's place in a growing file.
type tail struct {
	path   string
	filter Filter
	fn     func(*schemas.Record) error
	file   *os.File
	rest   []byte // a line whose end is not written yet
}

func (t *tail) advance() error {
	if t.file == nil {
		f, err := os.Open(t.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow audit log: %w", err)
		}
		t.file = f
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := t.file.Read(buf)
		t.rest = append(t.rest, buf[:n]...)
		if err := t.emit(); err != nil {
			return err
		}
		if err == io.EOF || n == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow audit log: %w", err)
		}
	}
}

func (t *tail) emit() error {
	for {
		i := bytes.IndexByte(t.rest, '\n')
		if i < 0 {
			return nil
		}
		line := t.rest[:i]
		t.rest = t.rest[i+1:]
		rec, err := decode(line)
		if err != nil {
			return fmt.Errorf("follow audit log: %w", err)
		}
		if t.filter.Match(rec) {
			if err := t.fn(rec); err != nil {
				return err
			}
		}
	}
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
}
