package sandboxes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// fileName is the registry's file in the state folder: a JSON object with one
// member, sandboxes, a list sorted by id.
const fileName = "sandboxes.json"

type document struct {
	Sandboxes []*entry `json:"sandboxes"`
}

// Open reads the registry in the folder; an empty name keeps it in memory.
func Open(dir string) (*Registry, error) {
	r := &Registry{byID: map[string]*entry{}, now: time.Now}
	if dir == "" {
		return r, nil
	}
	r.path = filepath.Join(dir, fileName)
	data, err := os.ReadFile(r.path)
	if errors.Is(err, os.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read sandboxes: %w", err)
	}
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read sandboxes %q: %w", r.path, err)
	}
	for _, e := range doc.Sandboxes {
		r.byID[e.ID] = e
	}
	return r, nil
}

// save replaces the file whole: a reader sees the registry before or after a
// change, never half of it. The caller holds the lock.
func (r *Registry) save() error {
	if r.path == "" {
		return nil
	}
	doc := document{Sandboxes: make([]*entry, 0, len(r.byID))}
	for _, e := range r.byID {
		doc.Sandboxes = append(doc.Sandboxes, e)
	}
	slices.SortFunc(doc.Sandboxes, func(a, b *entry) int { return strings.Compare(a.ID, b.ID) })
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("save sandboxes: %w", err)
	}
	if err := replace(r.path, append(data, '\n')); err != nil {
		return fmt.Errorf("save sandboxes: %w", err)
	}
	return nil
}

func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
