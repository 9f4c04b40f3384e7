package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/openshell-policy/openshell/internal/cli"
	"github.com/openshell-policy/openshell/internal/policyset"
)

// settling gathers the events of one change: editors write a file in several
// steps, and git writes many files.
const settling = 50 * time.Millisecond

// watch runs the tests now, and again whenever a file that they may depend on
// changes. Folders are watched, not files: a file that is replaced by a rename is
// another file.
func (r *testRun) watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer w.Close()
	timer := time.NewTimer(0) // the first run
	var changed []string
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			fmt.Fprintf(r.stderr, "watch: %v\n", err)
			timer.Reset(settling) // events may be lost: look
		case e := <-w.Events:
			if e.Op == fsnotify.Chmod || !r.concerns(e.Name) {
				continue
			}
			changed = append(changed, e.Name)
			timer.Reset(settling)
		case <-timer.C:
			if len(changed) > 0 {
				slices.Sort(changed)
				fmt.Fprintf(r.stderr, "\nchanged: %s\n", strings.Join(slices.Compact(changed), " "))
			}
			changed = nil
			files, err := r.once(ctx)
			if err != nil {
				cli.PrintError(r.stderr, err)
			}
			r.follow(w, files)
		}
	}
}

// concerns tells whether a change of a file may change a test: a YAML or Rego
// file that is not an editor's own, or a folder that came or went.
func (r *testRun) concerns(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, ".") {
		return false
	}
	return policyset.IsYAML(base) || strings.HasSuffix(base, ".rego") || filepath.Ext(base) == ""
}

// follow watches the folders of tests, and those of the policies that tests name
// elsewhere. What cannot be watched, such as a folder that went, is left out: its
// parent says when it comes back.
func (r *testRun) follow(w *fsnotify.Watcher, files []string) {
	for _, p := range r.paths {
		_ = w.Add(filepath.Dir(filepath.Clean(p)))
		_ = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil //nolint:nilerr // what cannot be read is not watched
			}
			if path != p && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			_ = w.Add(path)
			return nil
		})
	}
	for _, dir := range r.runner.Folders(files) {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			_ = w.Add(dir)
		}
	}
}
