package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce gathers the events of one change: editors and git write many files.
// It leaves most of the 100 ms in which a change is to be in force.
const debounce = 20 * time.Millisecond

// watch compiles again when a watched file or folder changes. It watches folders,
// also for a file, because a file that is replaced by a rename is another file;
// and a folder's parent, because the folder may be a link that is swapped.
func (g *Gateway) watch(ctx context.Context) error {
	paths := g.deps.Watch
	if paths == nil {
		paths = g.cfg.Policies
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch policies: %w", err)
	}
	defer w.Close()
	for _, p := range paths {
		if err := watchPath(w, p); err != nil {
			return fmt.Errorf("watch policies: %w", err)
		}
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	armed := false // a stream of events must not put it off for ever
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.Events:
			if !armed && e.Op != fsnotify.Chmod && concerns(e.Name, paths) {
				armed = true
				timer.Reset(debounce)
			}
		case err := <-w.Errors:
			g.log.Warn("watch policies", "error", err)
			armed = true
			timer.Reset(debounce) // events may be lost: look
		case <-timer.C:
			armed = false
			for _, p := range paths {
				_ = watchPath(w, p) // folders that are new since; gone ones come back through the parent
			}
			_, _ = g.Reload(ctx) // logged, and in /readyz
		}
	}
}

// concerns tells whether an event is about a watched path or what is below it:
// the folder around may also hold the log. "..data" is the link by which
// Kubernetes swaps the files beside it.
func concerns(name string, paths []string) bool {
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil || name == abs || strings.HasPrefix(name, abs+string(filepath.Separator)) {
			return true
		}
		if name == filepath.Join(filepath.Dir(abs), "..data") {
			return true
		}
	}
	return false
}

func watchPath(w *fsnotify.Watcher, path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if err := w.Add(filepath.Dir(abs)); err != nil {
		return err
	}
	return filepath.WalkDir(abs, func(p string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			return w.Add(p)
		}
		return nil
	})
}
