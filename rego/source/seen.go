package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/openshell-policy/openshell/rego/archive"
)

// seen is what was in force, in seen.json: an old bundle that is still rightly
// signed must not come back.
type seen struct {
	// Name of the bundle that was in force last. Where the configuration names
	// none, only this one is taken from then on.
	Name *string `json:"name,omitempty"`
	// Serials holds the highest serial by name.
	Serials map[string]int64 `json:"serials"`
}

func seenPath(dir string) string { return filepath.Join(dir, "seen.json") }
func keptPath(dir string) string { return filepath.Join(dir, "bundle.tar.gz") }

// readSeen reads what was seen. A file that cannot be read is an error: to begin
// anew would let an old bundle in.
func readSeen(dir string) (seen, error) {
	var s seen
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, fmt.Errorf("bundle state: %w", err)
	}
	text, err := os.ReadFile(seenPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return seen{Serials: map[string]int64{}}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || s.Serials == nil {
		return s, fmt.Errorf("bundle state: %s cannot be read (%v); without it an old bundle could come back: restore it, or remove it and set min_serial", seenPath(dir), err)
	}
	return s, nil
}

// raise adds what was seen to what is trusted.
func (s *seen) raise(t archive.Trust, name string) archive.Trust {
	if t.Name == "" && s.Name != nil {
		if *s.Name == "" && name != "" {
			t.Name = "(none)" // a nameless bundle was in force: a named one is another
		} else {
			t.Name = *s.Name
		}
	}
	t.MinSerial = max(t.MinSerial, s.Serials[name])
	return t
}

func (s *seen) keep(dir, name string, serial int64) error {
	if s.Name != nil && *s.Name == name && s.Serials[name] == serial {
		return nil
	}
	s.Name, s.Serials[name] = &name, max(serial, s.Serials[name])
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("bundle state: %w", err)
	}
	return writeWhole(seenPath(dir), append(text, '\n'))
}

// writeWhole replaces a file durably.
func writeWhole(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("bundle state: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("bundle state: %w", err)
	}
	return nil
}
