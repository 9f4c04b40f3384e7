package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// position is how far a sink got in a log, kept as one JSON object in a file.
type position struct {
	Log  string `json:"log"`  // the log's public key
	Next uint64 `json:"next"` // number of the next record to send

	path string
}

// openPosition reads the position; a new sink, or one whose log is another by
// now, begins with the oldest record.
func openPosition(path, log string) (*position, error) {
	key, err := os.ReadFile(filepath.Join(log, "key.pub"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fresh := &position{Log: strings.TrimSpace(string(key)), Next: 1, path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, err
	}
	p := &position{path: path}
	if err := json.Unmarshal(data, p); err != nil || p.Next == 0 {
		return nil, fmt.Errorf("%s: not a position; remove the file to send the whole log again", path)
	}
	if p.Log != fresh.Log {
		return fresh, nil
	}
	return p, nil
}

// save writes the position so that a crash leaves the old or the new one.
func (p *position) save() error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.path), "."+filepath.Base(p.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
